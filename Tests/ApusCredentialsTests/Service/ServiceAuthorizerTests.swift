import ApusBroker
import ApusMessage
import ApusResources
import MQTTCodec
import Testing

@testable import ApusCredentials

@Suite("The rules that hold for everybody in an instance")
struct InstanceRulesTests {
    static let own = "orders/p2p/\(ServiceFixture.clientID)"
    static let other = "orders/p2p/GID_apus@@@other"

    /// What a client with all rights of an `apsaramq` instance may not do, and why.
    static let denials: [(Access, String, String?)] = [
        (.publish, "orders", nil), (.publish, "orders/a/b/c", nil), (.subscribe, "chat/+/x", nil),
        (.subscribe, "chat/#", nil),
        (
            .publish, "none/a",
            "`none/a`: parent topic `none` does not exist in instance `post-cn-apus00001`; create it first"
        ),
        (.publish, "ORDERS/a", "parent topic `ORDERS` does not exist"),
        (.publish, "/orders", "parent topic `` does not exist"),
        (.publish, "secret/a", "parent topic `secret` does not exist"),
        (.subscribe, "secret/#", "parent topic `secret` does not exist"),
        (.subscribe, "#", "the first level must be a parent topic of instance `post-cn-apus00001`, not a wildcard"),
        (.subscribe, "+/a", "not a wildcard"),
        (.publish, "orders/" + String(repeating: "x", count: 57), nil),
        (.publish, "orders/" + String(repeating: "x", count: 58), "has 65 characters; at most 64 are allowed"),
        (.publish, "orders/" + String(repeating: "é", count: 57), nil),
        (.subscribe, "orders/" + String(repeating: "x", count: 56) + "/#", "topicCharacters"),
        (.publish, other, nil), (.publish, own, nil),
        (.publish, "orders/p2p/" + String(repeating: "x", count: 64), nil),
        (.publish, "orders/p2p/" + String(repeating: "x", count: 65), "P2P client id"),
        (.publish, "orders/P2P/" + String(repeating: "x", count: 60), "has 71 characters"),
        (.subscribe, own, nil), (.subscribe, "orders/p2p", nil), (.subscribe, "orders/+/GID_apus@@@other", nil),
        (.subscribe, other, "nobody may subscribe to those of another"),
        (.subscribe, "orders/p2p/+", "nobody may subscribe to those of another"),
        (.subscribe, "orders/p2p/#", "nobody may subscribe to those of another"),
        (.publish, "orders/p2p/", nil), (.publish, "orders/p2p/a/b", nil),
        (.publish, "orders/p2p/" + String(repeating: "x/", count: 32), "has 75 characters"),
        (.subscribe, own + "/#", "nobody may subscribe to those of another"),
        (.publish, "$SYS/broker/uptime", "only the broker publishes beneath $SYS"),
        (.subscribe, "$SYS/#", "only an administrator's key reads them"), (.subscribe, "$SYS/tokenExpireNotice", nil),
        (.publish, "$other/x", "parent topic `$other` does not exist"),
    ]

    @Test(arguments: denials)
    func `a denial names the rule`(access: Access, topic: String, sentence: String?) async throws {
        let service = try ServiceFixture()
        let principal = try #require(await service.signIn().principal)
        let denial = service.authorizer.denial(of: access, to: topic, for: principal)
        if let sentence {
            #expect(denial?.sentence.contains(sentence) == true, "\(denial?.sentence ?? "allowed")")
        } else {
            #expect(denial == nil)
        }
    }

    @Test(arguments: [
        (Access.publish, "any/topic"), (.subscribe, "#"), (.publish, String(repeating: "x", count: 300)),
        (.subscribe, other), (.subscribe, "any/p2p/#"),
    ])
    func `a standard instance has none of these rules`(access: Access, topic: String) async throws {
        let service = try ServiceFixture()
        let principal = try #require(
            await service.signIn("any", instanceID: "Plain-00001", instance: ServiceFixture.standard).principal
        )
        #expect(service.authorizer.denial(of: access, to: topic, for: principal) == nil)
    }

    @Test func `statistics are for administrators`() async throws {
        let service = try ServiceFixture()
        let principal = try #require(await service.signIn(key: "LTAIadmin", secret: "adminSecret0001").principal)
        #expect(service.authorizer.maySubscribe(principal, filter: "$SYS/broker/#"))
        #expect(!service.authorizer.mayPublish(principal, topic: "$SYS/broker/x"))
    }

    @Test func `policies and limits that differ from the profile hold, at once`() async throws {
        let service = try ServiceFixture()
        let principal = try #require(await service.signIn().principal)
        #expect(!service.authorizer.mayPublish(principal, topic: "none/a"))
        var instance = ServiceFixture.instance(ServiceFixture.apsaramq, "post-cn-apus00001", .apsaramq)
        instance.policies.requiresParentTopic = false
        instance.policies.p2p = false
        instance.limits.values[.topicCharacters] = 20
        let before = service.authorizer.revision.value
        service.change(.putInstance(instance))
        #expect(service.authorizer.revision.value > before)
        #expect(service.authorizer.mayPublish(principal, topic: "none/a"))
        #expect(service.authorizer.maySubscribe(principal, filter: "none/p2p/#"))
        #expect(!service.authorizer.mayPublish(principal, topic: "none/p2p/abcdefghijkl"))
    }

    @Test func `who has proven nothing has no rights`() throws {
        let service = try ServiceFixture()
        let nobody = Principal(clientID: "c", userName: nil, instance: ServiceFixture.standard)
        #expect(!service.authorizer.mayPublish(nobody, topic: "a"))
        let nowhere = Principal(clientID: "c", userName: nil, instance: InstanceNumber(rawValue: 9))
        #expect(!service.authorizer.maySubscribe(nowhere, filter: "a"))
    }
}

@Suite("Permissions of custom identities")
struct CustomPermissionTests {
    private typealias Row = (IdentityType, String, String, CustomPermission.Effect, CustomPermission.Action)

    private static func permission(_ row: Row) -> CustomPermission {
        CustomPermission(
            instance: ServiceFixture.apsaramq,
            type: row.0,
            identity: row.1,
            topic: row.2,
            effect: row.3,
            action: row.4,
        )
    }

    private static let rows: [Row] = [
        (.user, "origin", "orders/#", .allow, .both), (.user, "origin", "orders/secret/#", .deny, .both),
        (.user, "origin", "chat/in", .allow, .subscribe), (.user, "origin", "chat/out", .allow, .publish),
        (.client, ServiceFixture.clientID, "orders/quiet", .deny, .publish), (.user, "signed", "chat/#", .allow, .both),
        (.user, "origin", "orders/bad#", .allow, .both),
    ]

    @Test(
        arguments: [
            (Access.publish, "orders/a", nil), (.subscribe, "orders/a", nil),
            (.publish, "orders/secret/x", "denies to publish to `orders/secret/x` (`orders/secret/#`)"),
            (.subscribe, "orders/#", "denies to subscribe to `orders/#` (`orders/secret/#`)"),
            (.publish, "orders/quiet", "denies"), (.subscribe, "orders/quiet", nil),
            (.subscribe, "chat/in", nil), (.publish, "chat/in", "no permission of user `origin` or client id"),
            (.publish, "chat/out", nil), (.subscribe, "chat/out", "add one with AddCustomAuthPermission"),
            (.subscribe, "chat/+", "no permission"), (.publish, "orders/p2p/GID_apus@@@x", nil),
            (.subscribe, "orders/p2p/\(ServiceFixture.clientID)", nil),
            (.publish, "chat/p2p/GID_apus@@@x", "no permission"),
        ] as [(Access, String, String?)]
    )
    func `what is allowed and not denied may be done`(access: Access, topic: String, sentence: String?) async throws {
        let service = try ServiceFixture { $0.permissions = Self.rows.map(Self.permission) }
        let principal = try #require(await service.connect("origin", "originPassword").principal)
        let denial = service.authorizer.denial(of: access, to: topic, for: principal)
        if let sentence {
            #expect(denial?.sentence.contains(sentence) == true, "\(denial?.sentence ?? "allowed")")
        } else {
            #expect(denial == nil)
        }
    }

    @Test func `a permission that comes later counts`() async throws {
        let service = try ServiceFixture()
        let principal = try #require(await service.connect("origin", "originPassword").principal)
        #expect(!service.authorizer.mayPublish(principal, topic: "orders/a"))
        let before = service.authorizer.revision.value
        service.change(.putPermission(Self.permission(Self.rows[0])))
        #expect(service.authorizer.revision.value > before)
        #expect(service.authorizer.mayPublish(principal, topic: "orders/a"))
    }
}

@Suite("Whether a connection still stands")
struct StandingTests {
    static let userNames = [
        "key": ("Signature|LTAIexampleAK|post-cn-apus00001", ServiceFixture.signature("apusSecretKey0001")),
        "token": ("Token|LTAIexampleAK|post-cn-apus00001", "RW|" + ServiceFixture.seal(ServiceFixture.token(id: "aa"))),
        "device": (
            "DeviceCredential|DC.deviceKey0001|post-cn-apus00001", ServiceFixture.signature("DC.deviceSecret0001")
        ),
        "custom": ("origin", "originPassword"),
    ]

    private static let disabled = ServiceFixture.key("LTAIexampleAK", "apusSecretKey0001", "shop", isEnabled: false)
    private static let apsaramq = ServiceFixture.apsaramq

    private static func renewed(since time: Int64) -> AccessKey {
        var key = ServiceFixture.key("LTAIexampleAK", "apusSecretKey0001", "shop")
        key.tokensSince = time
        return key
    }

    /// What happens, to whom, and how the connection ends; `nil` when it stays.
    static let changes: [(CatalogChange, String, ReasonCode?, String)] = [
        (.deleteAccessKey(id: "LTAIexampleAK"), "key", .notAuthorized, "access key `LTAIexampleAK` was deleted"),
        (.deleteAccessKey(id: "LTAIexampleAK"), "token", .notAuthorized, "was deleted"),
        (.deleteAccessKey(id: "LTAIexampleAK"), "device", nil, ""),
        (.deleteAccessKey(id: "LTAIexampleAK"), "custom", nil, ""),
        (.putAccessKey(disabled), "key", .notAuthorized, "is disabled"),
        (.putAccessKey(disabled), "token", .notAuthorized, "is disabled"),
        (
            .putRevokedToken(RevokedToken(instance: apsaramq, tokenID: "aa", expiresAt: .max)), "token", .notAuthorized,
            "the RW token was revoked"
        ),
        (.putRevokedToken(RevokedToken(instance: apsaramq, tokenID: "bb", expiresAt: .max)), "token", nil, ""),
        (.putAccessKey(renewed(since: ServiceFixture.now)), "token", nil, ""),
        (
            .putAccessKey(renewed(since: ServiceFixture.now + 1)), "token", .notAuthorized,
            "the RW token is older than what access key `LTAIexampleAK` stands for now"
        ),
        (.putAccessKey(renewed(since: ServiceFixture.now + 1)), "key", nil, ""),
        // Facts 2.5: an existing connection stays.
        (.deleteDeviceCredential(apsaramq, clientID: ServiceFixture.clientID), "device", nil, ""),
        (
            .deleteIdentity(apsaramq, .user, userName: "origin", clientID: nil), "custom", .notAuthorized,
            "identity `origin` was deleted"
        ),
        (
            .putBan(BannedClient(instance: apsaramq, clientID: ServiceFixture.clientID)), "key", .administrativeAction,
            "was banned in instance `post-cn-apus00001`"
        ),
        (
            .putBan(BannedClient(instance: apsaramq, clientID: ServiceFixture.clientID)), "device",
            .administrativeAction,
            "was banned"
        ),
        (.putBan(BannedClient(instance: ServiceFixture.standard, clientID: ServiceFixture.clientID)), "key", nil, ""),
        (.deleteGroup(apsaramq, id: "GID_apus"), "key", .administrativeAction, "was deleted"),
        (.deleteGroup(apsaramq, id: "GID_Test"), "key", nil, ""),
        (
            .putInstance(ServiceFixture.instance(apsaramq, "post-cn-apus00001", .apsaramq, state: .stopped)), "custom",
            .administrativeAction, "instance `post-cn-apus00001` was stopped"
        ),
        (.deleteInstance(apsaramq), "device", .administrativeAction, "the instance was deleted"),
    ]

    @Test(arguments: changes)
    func `what was taken back ends the connection`(
        change: CatalogChange,
        who: String,
        code: ReasonCode?,
        sentence: String,
    ) async throws {
        let service = try ServiceFixture()
        let (userName, password) = try #require(Self.userNames[who])
        let principal = try #require(await service.connect(userName, password).principal)
        let now = Timestamp(milliseconds: ServiceFixture.now)
        #expect(service.authorizer.standing(of: principal, now: now) == .good)
        let before = service.authorizer.revision.value
        service.change(change)
        guard case .ended(let found, let explanation, let notice) = service.authorizer.standing(of: principal, now: now)
        else {
            #expect(code == nil)
            return
        }
        #expect(found == code)
        #expect(explanation.contains(sentence))
        #expect(service.authorizer.revision.value > before)
        let payload = notice.map { String(decoding: $0.payload, as: UTF8.self) }
        switch (who, change) {
        case ("token", .putRevokedToken), ("token", .putAccessKey(Self.renewed(since: ServiceFixture.now + 1))):
            #expect(payload == #"{"code":3,"type":"RW"}"#)
        case ("token", _): #expect(payload == #"{"code":-1,"type":"RW"}"#)
        default: #expect(payload == nil)
        }
    }

    @Test func `an identity that is deleted ends what it has let in, also where another of the name is stored`()
        async throws
    {
        let service = try ServiceFixture()
        let now = Timestamp(milliseconds: ServiceFixture.now)
        let client = try #require(await service.connect("both", "ofTheClient").principal)
        let other = try #require(await service.connect("both", "ofTheUser", clientID: "GID_apus@@@other").principal)
        service.change(
            .deleteIdentity(Self.apsaramq, .client, userName: "both", clientID: ServiceFixture.clientID)
        )
        guard case .ended(.notAuthorized, let sentence, _) = service.authorizer.standing(of: client, now: now) else {
            Issue.record("the connection stays")
            return
        }
        #expect(sentence == "identity `both` was deleted")
        #expect(service.authorizer.standing(of: other, now: now) == .good)
        service.change(
            .putIdentity(ServiceFixture.identity(.client, "both", "GID_apus@@@other", "new", .origin))
        )
        #expect(service.authorizer.standing(of: other, now: now) == .good, "its own is still stored")
        service.change(.deleteIdentity(Self.apsaramq, .user, userName: "both", clientID: nil))
        #expect(service.authorizer.standing(of: other, now: now) != .good)
    }

    @Test func `a token ends when it expires`() async throws {
        let service = try ServiceFixture()
        let (userName, password) = try #require(Self.userNames["token"])
        let principal = try #require(await service.connect(userName, password).principal)
        let end = principal.validUntil
        #expect(service.authorizer.standing(of: principal, now: end.adding(milliseconds: -1)) == .good)
        guard
            case .ended(.notAuthorized, let sentence, let notice?) = service.authorizer.standing(
                of: principal,
                now: end
            )
        else {
            Issue.record("still stands")
            return
        }
        #expect(sentence.hasPrefix("the RW token expired"))
        #expect(notice.topic == "$SYS/tokenInvalidNotice")
        #expect(String(decoding: notice.payload, as: UTF8.self) == #"{"code":2,"type":"RW"}"#)
    }

    @Test func `new credentials make nobody look at all connections`() throws {
        let service = try ServiceFixture()
        let before = service.authorizer.revision.value
        service.change(
            .putDeviceCredential(ServiceFixture.contents.deviceCredentials[0]),
            .putGroup(Group(instance: ServiceFixture.apsaramq, id: "GID_new", createdAt: 0, updatedAt: 0)),
            .putAccount(Account(name: "new", createdAt: 0)),
        )
        #expect(service.authorizer.revision.value == before)
    }
}
