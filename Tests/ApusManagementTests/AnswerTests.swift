import ApusBroker
import ApusLocks
import ApusMessage
import ApusResources
import HTTPTypes
import Testing

@testable import ApusManagement

/// A field of an answer, as it is documented.
struct DocumentedField: Sendable {
    /// `Data`, `Results`, `ClientId`.
    var path: [String]
    /// `String`, `Long`, `Integer`, `Bool`, `object`, `[object]` or `[String]`.
    var type: String
}

/// A call that works, of an action in one of its versions.
struct WorkingCall: Sendable, CustomTestStringConvertible {
    var action: String
    var version: String
    var parameters: [String: String]
    /// Documented fields that the answer has not, as nothing here could fill them.
    var absent: [String] = []

    var testDescription: String { "\(action) \(version)" }
}

@Suite("Every action of both versions")
struct AnswerTests {
    static let documented: [String: [DocumentedField]] = {
        var table: [String: [DocumentedField]] = [:]
        for line in DocumentedAnswers.text.split(separator: "\n") {
            let words = line.split(separator: " ")
            table["\(words[0]) \(words[1])"] = words.dropFirst(2).map { word in
                let parts = word.split(separator: ":")
                return DocumentedField(path: parts[0].split(separator: ".").map(String.init), type: String(parts[1]))
            }
        }
        return table
    }()

    private static let instance = ["InstanceId": Fixture.first]
    private static let certificates = ["MqttInstanceId": Fixture.first]
    private static let client = "GID_apus@@@device-0001"
    private static let identity = [
        "InstanceId": Fixture.first, "IdentityType": "USER", "Username": "stored", "Secret": "s", "SignMode": "ORIGIN",
    ]
    private static let permission = [
        "InstanceId": Fixture.first, "IdentityType": "USER", "Identity": "stored", "Topic": "orders/#",
        "PermitAction": "PUB_SUB", "Effect": "ALLOW",
    ]
    private static let time = [
        "InstanceId": Fixture.first, "MqttRegionId": "local", "BeginTime": "0", "EndTime": "1795362196000",
    ]
    private static let page = ["CurrentPage": "1", "PageSize": "10", "Reverse": "False"]
    private static let message = String(repeating: "A", count: 32)

    /// Those whose answers have no failure to tell of.
    private static let noDenial = ["AccessDeniedDetail"]

    private static func with(_ tables: [String: String]...) -> [String: String] {
        tables.reduce(into: [:]) { $0.merge($1) { $1 } }
    }

    static let calls: [WorkingCall] =
        ofBoth.flatMap { action, parameters in
            ["2020-04-20", "2019-12-11"].map { WorkingCall(action: action, version: $0, parameters: parameters) }
        } + ofNew.map { WorkingCall(action: $0, version: "2020-04-20", parameters: $1, absent: $2) } + [
            WorkingCall(
                action: "BatchSendMessages",
                version: "2019-12-11",
                parameters: with(
                    instance,
                    ["Messages.1.Id": "1", "Messages.1.Payload": "x", "Messages.1.Topics.1": "orders/a"]
                ),
            )
        ]

    private static let ofBoth: [(String, [String: String])] = [
        (
            "ApplyToken",
            with(instance, ["Actions": "R,W", "ExpireTime": "1795365796000", "Resources": "TopicA/#,TopicB"])
        ),
        ("BatchQuerySessionByClientIds", with(instance, ["ClientIdList.1": client, "ClientIdList.2": "x"])),
        ("CreateGroupId", with(instance, ["GroupId": "GID_new"])),
        ("DeleteGroupId", with(instance, ["GroupId": "GID_apus"])),
        ("ListGroupId", instance),
        ("QuerySessionByClientId", with(instance, ["ClientId": client])),
        ("QueryToken", with(instance, ["Token": "x"])),
        ("RevokeToken", with(instance, ["Token": "<token>"])),
        ("SendMessage", with(instance, ["MqttTopic": "orders/a", "Payload": "x"])),
    ]

    private static let ofNew: [(String, [String: String], [String])] = [
        ("ActiveCaCertificate", with(certificates, ["Sn": "0A"]), []),
        ("ActiveDeviceCertificate", with(certificates, ["CaSn": "0A", "DeviceSn": "0B"]), []),
        ("AddCustomAuthConnectBlack", with(instance, ["ClientId": client]), []),
        ("AddCustomAuthIdentity", with(identity, ["Username": "new"]), []),
        ("AddCustomAuthPermission", with(permission, ["Topic": "chat/#"]), []),
        ("CloseConnection", with(instance, ["ClientId": client]), []),
        ("DeleteCaCertificate", with(certificates, ["Sn": "0A"]), []),
        ("DeleteCustomAuthConnectBlack", with(instance, ["ClientId": "banned"]), []),
        (
            "DeleteCustomAuthIdentity",
            ["InstanceId": Fixture.first, "IdentityType": "USER", "Username": "stored"], []
        ),
        (
            "DeleteCustomAuthPermission",
            ["InstanceId": Fixture.first, "IdentityType": "USER", "Identity": "stored", "Topic": "orders/#"], []
        ),
        ("DeleteDeviceCertificate", with(certificates, ["CaSn": "0A", "DeviceSn": "0B"]), []),
        ("GetCaCertificate", with(certificates, ["Sn": "0A"]), []),
        ("GetDeviceCertificate", with(certificates, ["CaSn": "0A", "DeviceSn": "0B"]), []),
        ("GetDeviceCredential", with(instance, ["ClientId": client]), []),
        ("GetRegisterCode", certificates, []),
        ("InactivateCaCertificate", with(certificates, ["Sn": "0A"]), []),
        ("InactivateDeviceCertificate", with(certificates, ["CaSn": "0A", "DeviceSn": "0B"]), []),
        ("ListCaCertificate", with(certificates, ["PageNo": "1", "PageSize": "10"]), []),
        ("ListDeviceCertificate", with(certificates, ["PageNo": "1", "PageSize": "10"]), []),
        ("ListDeviceCertificateByCaSn", with(certificates, ["CaSn": "0A", "PageNo": "1", "PageSize": "10"]), []),
        ("ListDeviceCredentialClientId", with(instance, ["GroupId": "GID_apus", "PageSize": "10"]), []),
        ("ListInstances", [:], ["Instances.ExpireTime", "Instances.OrderId"]),
        ("ListTagResources", ["ResourceType": "INSTANCE"], []),
        ("QueryCustomAuthConnectBlack", with(instance, ["Size": "10"]), []),
        ("QueryCustomAuthIdentity", with(instance, ["Size": "10"]), []),
        ("QueryCustomAuthPermission", with(instance, ["Size": "10"]), []),
        ("QueryMqttTraceDevice", with(time, page, ["ClientId": client]), []),
        ("QueryMqttTraceMessageOfClient", with(time, page, ["ClientId": client]), []),
        ("QueryMqttTraceMessagePublish", with(time, ["MsgId": message]), []),
        ("QueryMqttTraceMessageSubscribe", with(time, page, ["MsgId": message]), []),
        ("RefreshDeviceCredential", with(instance, ["ClientId": client]), []),
        (
            "RegisterCaCertificate",
            with(
                certificates,
                [
                    "CaName": "mine", "CaContent": CertificateSamples.authority,
                    "VerificationContent": CertificateSamples.verification,
                ]
            ), []
        ),
        ("RegisterDeviceCredential", with(instance, ["ClientId": "GID_apus@@@new"]), []),
        (
            "SetSniConfig",
            with(certificates, ["DefaultCertificate": "c1", "SniConfig": "a.example#c2#p;b.example#c3#"]), noDenial
        ),
        (
            "TagResources",
            ["ResourceType": "INSTANCE", "ResourceId.1": Fixture.first, "Tag.1.Key": "k", "Tag.1.Value": "v"], []
        ),
        ("UnRegisterDeviceCredential", with(instance, ["ClientId": client]), []),
        (
            "UntagResources",
            ["ResourceType": "INSTANCE", "ResourceId.1": Fixture.first, "All": "True"], []
        ),
        ("UpdateCustomAuthIdentity", identity, []),
        ("UpdateCustomAuthPermission", permission, []),
    ]

    /// Something of everything, so that no list is empty.
    static func filled() throws -> Fixture {
        let fixture = try Fixture()
        let number = try fixture.number()
        let tag = Tag(instance: number, kind: .instance, resource: Fixture.first, key: "stage", value: "test")
        let groupTag = Tag(instance: number, kind: .group, resource: "GID_apus", key: "stage", value: "test")
        let authority = CACertificate(
            instance: number,
            serialNumber: "0A",
            name: "ca",
            content: "pem",
            verificationContent: "pem",
            registrationCode: "code",
            validFrom: 1,
            validUntil: 2,
        )
        let device = DeviceCertificate(
            instance: number,
            caSerialNumber: "0A",
            serialNumber: "0B",
            name: "device",
            content: "pem",
            validFrom: 1,
            validUntil: 2,
        )
        let credential = DeviceCredential(
            instance: number,
            clientID: client,
            accessKeyID: "DC.key",
            accessKeySecret: "DC.secret",
            createdAt: 1,
            updatedAt: 2,
        )
        let user = CustomIdentity(
            instance: number,
            type: .user,
            userName: "stored",
            clientID: nil,
            secret: "s",
            signMode: .origin,
        )
        let right = CustomPermission(
            instance: number,
            type: .user,
            identity: "stored",
            topic: "orders/#",
            effect: .allow,
            action: .both,
        )
        try fixture.manager.change(
            [
                .putTag(tag), .putTag(groupTag), .putCACertificate(authority), .putDeviceCertificate(device),
                .putDeviceCredential(credential), .putIdentity(user), .putPermission(right),
                .putBan(BannedClient(instance: number, clientID: "banned")),
            ],
            by: .local,
            action: "fill",
            instance: "",
            detail: "",
        )
        fixture.broker.content.withLock { content in
            content.sessions[number] = [SessionDetails(client, isConnected: true)]
            content.events = [
                TraceEvent(kind: .connected, time: 1_000, clientID: client, channelID: "c1", detail: "accepted"),
                TraceEvent(kind: .published, time: 2_000, clientID: client, messageID: message, topic: "orders/a"),
                TraceEvent(kind: .delivered, time: 3_000, clientID: client, messageID: message),
                TraceEvent(kind: .closed, time: 4_000, clientID: client, channelID: "c1", detail: "no heart"),
            ]
        }
        return fixture
    }

    @Test func `there are fifty and ten of them`() {
        let counts = RPCAction.Version.allCases.map { version in
            ActionTable.actions.filter { $0.versions.contains(version) }.count
        }
        #expect(counts == [50, 10])
        for name in Self.documented.keys {
            let words = name.split(separator: " ").map(String.init)
            #expect(
                RPCAction.Version(rawValue: words[1]).flatMap { ActionTable.action(words[0], $0) } != nil,
                "\(name)"
            )
        }
    }

    @Test func `all but the two that are not offered are called here`() {
        let called = Set(Self.calls.map { "\($0.action) \($0.version)" })
        let missing = Set(Self.documented.keys).subtracting(called)
        #expect(missing == ["DisasterDowngrade 2020-04-20", "DisasterRecovery 2020-04-20"])
    }

    @Test(arguments: calls)
    func `answers have the documented fields, of the documented types`(call: WorkingCall) async throws {
        let fixture = try Self.filled()
        var parameters = call.parameters
        if parameters["Token"] == "<token>" {
            parameters["Token"] = try fixture.manager.issueToken(
                fixture.number(),
                accessKeyID: Fixture.admin.id,
                mayRead: true,
                mayWrite: false,
                resources: ["orders"],
                expiresAt: fixture.now + 3_600_000,
            )
        }
        let answer = await fixture.call(call.action, parameters, version: call.version)
        #expect(answer.status == 200, "\(answer.json.text)")
        let fields = try #require(Self.documented["\(call.action) \(call.version)"])
        var seen: Set<String> = []
        Self.compare(answer.json, [], fields, &seen)
        // A user without a client id has none.
        let optional = Set(call.absent + ["Data.Results.ClientId"])
        for field in fields
        where !optional.contains(field.path[0]) && !optional.contains(field.path.joined(separator: ".")) {
            #expect(seen.contains(field.path.joined(separator: ".")), "missing: \(field.path)")
        }
    }

    private static func compare(
        _ value: JSONValue,
        _ path: [String],
        _ fields: [DocumentedField],
        _ seen: inout Set<String>,
    ) {
        for member in value.members ?? [] {
            let here = path + [member.name]
            guard let field = fields.first(where: { $0.path == here }) else {
                Issue.record("\(here) is not documented")
                continue
            }
            seen.insert(here.joined(separator: "."))
            switch (field.type, member.value) {
            case ("String", .string), ("Bool", .bool), ("Long", .integer), ("Integer", .integer): break
            case ("object", .object): compare(member.value, here, fields, &seen)
            case ("[String]", .array(let items)): #expect(items.allSatisfy { $0.string != nil })
            case ("[object]", .array(let items)): for item in items { compare(item, here, fields, &seen) }
            default: Issue.record("\(here) is \(member.value.text), documented as \(field.type)")
            }
        }
    }

    @Test(arguments: calls)
    func `a required parameter that is missing is named`(call: WorkingCall) async throws {
        let fixture = try Self.filled()
        let optional: Set<String> = ["SniConfig", "Reverse", "Tag.1.Value", "All", "Messages.1.Id", "ClientIdList.2"]
        for name in call.parameters.keys where !optional.contains(name) {
            var parameters = call.parameters
            parameters[name] = nil
            let answer = await fixture.call(call.action, parameters, version: call.version)
            #expect(answer.status == 400, "\(name): \(answer.json.text)")
            let stem = name.prefix { $0 != "." }
            #expect(answer.message.contains(stem), "\(name): \(answer.message)")
        }
    }

    @Test(arguments: calls)
    func `a parameter that the action does not have is named`(call: WorkingCall) async throws {
        let fixture = try Self.filled()
        var parameters = call.parameters
        parameters["Nonsense"] = "1"
        let answer = await fixture.call(call.action, parameters, version: call.version)
        #expect(answer.status == 400)
        #expect(answer.code == "InvalidParameter.Nonsense")
    }

    @Test(arguments: calls.filter { $0.parameters["InstanceId"] != nil || $0.parameters["MqttInstanceId"] != nil })
    func `another account's instance is not to be touched`(call: WorkingCall) async throws {
        let fixture = try Self.filled()
        for id in [Fixture.foreign, "post-cn-nowhere"] {
            var parameters = call.parameters
            parameters[parameters["InstanceId"] == nil ? "MqttInstanceId" : "InstanceId"] = id
            let answer = await fixture.call(call.action, parameters, key: Fixture.manager, version: call.version)
            #expect(answer.status == 400)
            #expect(answer.code == "InstancePermissionCheckFailed")
        }
    }

    /// What keys with the right `data` may do.
    private static let ofData: Set<String> = [
        "BatchQuerySessionByClientIds", "BatchSendMessages", "GetCaCertificate", "GetDeviceCertificate",
        "ListCaCertificate", "ListDeviceCertificate", "ListDeviceCertificateByCaSn", "ListDeviceCredentialClientId",
        "ListGroupId", "ListInstances", "ListTagResources", "QueryCustomAuthConnectBlack",
        "QueryCustomAuthPermission", "QueryMqttTraceDevice", "QueryMqttTraceMessageOfClient",
        "QueryMqttTraceMessagePublish", "QueryMqttTraceMessageSubscribe", "QuerySessionByClientId", "QueryToken",
        "SendMessage",
    ]

    @Test(arguments: calls)
    func `rights open what they are for`(call: WorkingCall) async throws {
        // That of a token needs one.
        guard call.action != "RevokeToken" else { return }
        let asManager = try await Self.filled()
            .call(call.action, call.parameters, key: Fixture.manager, version: call.version)
        #expect(asManager.status == 200, "\(asManager.json.text)")
        let asData = try await Self.filled()
            .call(call.action, call.parameters, key: Fixture.data, version: call.version)
        if Self.ofData.contains(call.action) {
            #expect(asData.status == 200, "\(asData.json.text)")
        } else {
            #expect(asData.status == 400)
            #expect(["PermissionCheckFailed", "ResourcePermissionCheckFailed"].contains(asData.code))
            #expect(asData.message.contains("'manager'"))
        }
    }

    @Test(arguments: calls.filter { ActionTable.action($0.action, .v2020)?.isAudited == true })
    func `refused changes land there too`(call: WorkingCall) async throws {
        let fixture = try Self.filled()
        _ = await fixture.call(call.action, call.parameters, key: Fixture.data, version: call.version)
        let entry = try #require(try fixture.lastAudit())
        #expect(entry.actor == Fixture.data.id && entry.action == call.action)
        #expect(["PermissionCheckFailed", "ResourcePermissionCheckFailed"].contains(entry.outcome))
    }

    @Test func `a stranger's refused call stands in no instance's audit log`() async throws {
        let fixture = try Fixture()
        _ = await fixture.call(
            "CreateGroupId",
            ["InstanceId": Fixture.first, "GroupId": "GID_x"],
            key: Fixture.rival
        )
        _ = await fixture.rest(.delete, "/instances/\(Fixture.first)/groups/GID_apus", key: Fixture.rival)
        let entries = try fixture.manager.audit(before: nil, limit: 2, instance: nil)
        for entry in entries {
            #expect(entry.actor == Fixture.rival.id)
            #expect(entry.instance.isEmpty && entry.detail.contains(Fixture.first))
        }
        #expect(entries.map(\.outcome) == ["NotFound", "InstancePermissionCheckFailed"])
    }

    @Test func `a secret under a name that is misspelt stays out of the audit log`() async throws {
        let fixture = try Fixture()
        let wishes = ["InstanceId": Fixture.first, "Username": "u", "secret": "hunter-2", "IdentityType": "USER"]
        #expect(await fixture.call("AddCustomAuthIdentity", wishes).status == 400)
        let entry = try #require(try fixture.lastAudit())
        #expect(entry.action == "AddCustomAuthIdentity" && entry.detail.contains("Username=u"))
        #expect(!entry.detail.contains("hunter-2"))
    }

    @Test(arguments: calls)
    func `changes land in the audit log, queries do not`(call: WorkingCall) async throws {
        // That of a token needs one.
        guard call.action != "RevokeToken" else { return }
        let fixture = try Self.filled()
        let before = try fixture.lastAudit()
        _ = await fixture.call(call.action, call.parameters, version: call.version)
        let after = try #require(try fixture.lastAudit())
        let isQuery = ["Get", "List", "Query", "BatchQuery"].contains { call.action.hasPrefix($0) }
        // Tokens are not stored, and messages are in the trace.
        let isElsewhere = ["ApplyToken", "SendMessage", "BatchSendMessages"].contains(call.action)
        guard !isQuery, !isElsewhere else {
            #expect(after == before)
            return
        }
        #expect(after.number > before?.number ?? 0)
        #expect(after.actor == Fixture.admin.id)
        #expect(after.source == "127.0.0.1:1")
        #expect(after.action == call.action)
        #expect(after.instance == Fixture.first)
        #expect(after.outcome == "ok")
    }
}
