import ApusMessage
import ApusResources
import Testing

@testable import ApusManagement

@Suite("Actions of custom authentication")
struct CustomAuthenticationTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func call(_ action: String, _ parameters: [String: String]) async -> Fixture.Answer {
        await fixture.call(action, parameters.merging(["InstanceId": Fixture.first]) { $1 }, inForm: true)
    }

    private static let user = ["IdentityType": "USER", "Username": "u1", "Secret": "s&1 +x", "SignMode": "ORIGIN"]

    @Test func `identities are added, changed, queried in pages and removed`() async throws {
        #expect(await call("AddCustomAuthIdentity", Self.user).json["Success"] == true)
        #expect(await call("AddCustomAuthIdentity", Self.user).code == "InvalidParameter.Username")
        let client = Self.user.merging(["IdentityType": "CLIENT", "ClientId": "GID_apus@@@1"]) { $1 }
        #expect(await call("AddCustomAuthIdentity", client).json["Success"] == true)
        let first = await call("QueryCustomAuthIdentity", ["Size": "1"]).json["Data"]
        let token = try #require(first?["NextToken"]?.string)
        #expect(!token.isEmpty)
        let second = await call("QueryCustomAuthIdentity", ["Size": "1", "NextToken": token]).json["Data"]
        #expect(second?["NextToken"] == "")
        let both = (first?["Results"]?.items ?? []) + (second?["Results"]?.items ?? [])
        #expect(both.map { $0["IdentityType"] } == ["CLIENT", "USER"])
        #expect(both.map { $0["Secret"] } == ["s&1 +x", "s&1 +x"])
        let changed = Self.user.merging(["Secret": "two", "SignMode": "SIGNED"]) { $1 }
        #expect(await call("UpdateCustomAuthIdentity", changed).json["Success"] == true)
        let found = await call("QueryCustomAuthIdentity", ["Size": "9", "IdentityType": "USER"]).json["Data"]?[
            "Results"
        ]
        #expect(
            found
                == [["IdentityType": "USER", "Username": "u1", "Secret": "two", "SignMode": "SIGNED"]]
        )
        #expect(await call("DeleteCustomAuthIdentity", ["IdentityType": "USER", "Username": "u1"]).status == 200)
        #expect(await call("DeleteCustomAuthIdentity", ["IdentityType": "USER", "Username": "u1"]).status == 400)
        #expect(await call("UpdateCustomAuthIdentity", changed).code == "InvalidParameter.Username")
        #expect(await call("QueryCustomAuthIdentity", ["Size": "9"]).json["Data"]?["Results"]?.items?.count == 1)
        #expect(
            try fixture.manager.audit(before: nil, limit: 99, instance: nil).allSatisfy { !$0.detail.contains("two") }
        )
    }

    @Test(arguments: [
        (["IdentityType": "BOTH"], "IdentityType"), (["SignMode": "PLAIN"], "SignMode"), (["Username": ""], "Username"),
        (["Username": String(repeating: "x", count: 65)], "Username"), (["Secret": ""], "Secret"),
        (["IdentityType": "CLIENT"], "ClientId"), (["ClientId": "x"], "ClientId"), (["Username": "a|b"], "Username"),
        (["Secret": String(repeating: "x", count: 129)], "Secret"),
    ])
    func `bad identities are refused by name`(change: [String: String], name: String) async {
        let answer = await call("AddCustomAuthIdentity", Self.user.merging(change) { $1 })
        #expect(answer.status == 400)
        #expect(answer.code == "InvalidParameter.\(name)")
    }

    @Test(arguments: ["0", "101", "many", "-1", "1.5"])
    func `pages have a size`(size: String) async {
        for action in ["QueryCustomAuthIdentity", "QueryCustomAuthPermission", "QueryCustomAuthConnectBlack"] {
            #expect(await call(action, ["Size": size]).code == "InvalidParameter.Size")
            #expect(await call(action, ["Size": "1", "NextToken": "zz"]).code == "InvalidParameter.NextToken")
        }
    }

    @Test func `permissions are granted, changed and removed`() async {
        let grant = ["IdentityType": "USER", "Identity": "u1", "Topic": "orders/u1/#"]
        let both = grant.merging(["PermitAction": "PUB_SUB", "Effect": "ALLOW"]) { $1 }
        #expect(await call("AddCustomAuthPermission", both).json["Success"] == true)
        #expect(await call("AddCustomAuthPermission", both).code == "InvalidParameter.Topic")
        let less = grant.merging(["PermitAction": "PUB", "Effect": "DENY"]) { $1 }
        #expect(await call("UpdateCustomAuthPermission", less).json["Success"] == true)
        let found = await call("QueryCustomAuthPermission", ["Size": "9", "Identity": "u1"]).json["Data"]?["Results"]
        #expect(
            found
                == [
                    [
                        "IdentityType": "USER", "Identity": "u1", "Topic": "orders/u1/#", "PermitAction": "PUB",
                        "Effect": "DENY",
                    ]
                ]
        )
        #expect(await call("DeleteCustomAuthPermission", grant).status == 200)
        #expect(await call("DeleteCustomAuthPermission", grant).code == "InvalidParameter.Topic")
        #expect(await call("UpdateCustomAuthPermission", less).code == "InvalidParameter.Topic")
    }

    @Test(arguments: [
        (["Topic": "nowhere/#"], "Topic"), (["Topic": "orders/#/x"], "Topic"), (["Topic": "#"], "Topic"),
        (["PermitAction": "READ"], "PermitAction"), (["Effect": "allow"], "Effect"), (["Identity": ""], "Identity"),
    ])
    func `bad permissions are refused by name`(change: [String: String], name: String) async {
        let grant = [
            "IdentityType": "USER", "Identity": "u1", "Topic": "orders/#", "PermitAction": "PUB", "Effect": "ALLOW",
        ]
        let answer = await call("AddCustomAuthPermission", grant.merging(change) { $1 })
        #expect(answer.code == "InvalidParameter.\(name)")
    }

    @Test func `bans are set, seen and lifted`() async {
        #expect(await call("AddCustomAuthConnectBlack", ["ClientId": "GID_apus@@@1"]).json["Success"] == true)
        #expect(await call("AddCustomAuthConnectBlack", ["ClientId": "GID_apus@@@1"]).json["Success"] == true)
        let found = await call("QueryCustomAuthConnectBlack", ["Size": "9"]).json["Data"]?["Results"]
        #expect(found == [["ClientId": "GID_apus@@@1", "PermitAction": "CONNECT", "Effect": "DENY"]])
        let other = await call("QueryCustomAuthConnectBlack", ["Size": "9", "ClientId": "x"]).json["Data"]?["Results"]
        #expect(other == [])
        #expect(await call("DeleteCustomAuthConnectBlack", ["ClientId": "GID_apus@@@1"]).status == 200)
        #expect(await call("DeleteCustomAuthConnectBlack", ["ClientId": "GID_apus@@@1"]).status == 400)
    }

    @Test func `a full store has its own code`() async throws {
        var instance = try #require(fixture.manager.directory.instance(id: Fixture.first))
        instance.limits.values[.customAuthEntries] = 1
        try fixture.manager.change([.putInstance(instance)], by: .local, action: "x", instance: "", detail: "")
        #expect(await call("AddCustomAuthIdentity", Self.user).status == 200)
        let answer = await call("AddCustomAuthIdentity", Self.user.merging(["Username": "u2"]) { $1 })
        #expect(answer.code == "Customauth.over.capacity")
        #expect(try fixture.lastAudit()?.outcome == "OverLimit customAuthEntries")
    }

    // MARK: - Names as bytes

    private static let composed = "caf\u{E9}"
    private static let decomposed = "cafe\u{301}"

    @Test func `names that are one to Unicode are two identities`() async {
        func named(_ name: String, secret: String = "s") -> [String: String] {
            ["IdentityType": "USER", "Username": name, "Secret": secret, "SignMode": "ORIGIN"]
        }
        #expect(await call("AddCustomAuthIdentity", named(Self.composed)).status == 200)
        let update = await call("UpdateCustomAuthIdentity", named(Self.decomposed))
        #expect(update.code == "InvalidParameter.Username", "it was never added")
        let query = ["Size": "9", "Username": Self.decomposed]
        #expect(await call("QueryCustomAuthIdentity", query).json["Data"]?["Results"] == [])
        let deletion = ["IdentityType": "USER", "Username": Self.decomposed]
        #expect(await call("DeleteCustomAuthIdentity", deletion).status == 400)
        #expect(await call("AddCustomAuthIdentity", named(Self.decomposed, secret: "t")).status == 200)
        let found = await call("QueryCustomAuthIdentity", query).json["Data"]?["Results"]?.items
        #expect(found?.map { $0["Secret"] } == ["t"])
    }

    @Test func `names that are one to Unicode have two permissions, on two topics`() async {
        func grant(_ identity: String, _ topic: String) -> [String: String] {
            [
                "IdentityType": "USER", "Identity": identity, "Topic": topic, "PermitAction": "PUB", "Effect": "ALLOW",
            ]
        }
        let (one, other) = ("orders/\(Self.composed)", "orders/\(Self.decomposed)")
        #expect(await call("AddCustomAuthPermission", grant(Self.composed, one)).status == 200)
        for (identity, topic) in [(Self.decomposed, one), (Self.composed, other)] {
            let answer = await call("UpdateCustomAuthPermission", grant(identity, topic))
            #expect(answer.code == "InvalidParameter.Topic")
            #expect(await call("AddCustomAuthPermission", grant(identity, topic)).status == 200)
        }
        func count(_ query: [String: String]) async -> Int? {
            await call("QueryCustomAuthPermission", query.merging(["Size": "9"]) { $1 })
                .json["Data"]?["Results"]?.items?.count
        }
        #expect(await count([:]) == 3)
        #expect(await count(["Identity": Self.composed]) == 2)
        #expect(await count(["Identity": Self.decomposed]) == 1)
        #expect(await count(["Identity": Self.decomposed, "IdentityType": "CLIENT"]) == 0)
        #expect(await count(["IdentityType": "USER", "Topic": one]) == 2)
        #expect(await count(["Topic": other]) == 1)
    }

    @Test func `a ban is of one client id byte by byte`() async {
        #expect(await call("AddCustomAuthConnectBlack", ["ClientId": Self.composed]).status == 200)
        func found(_ clientID: String) async -> Int? {
            await call("QueryCustomAuthConnectBlack", ["Size": "9", "ClientId": clientID])
                .json["Data"]?["Results"]?.items?.count
        }
        #expect(await found(Self.composed) == 1)
        #expect(await found(Self.decomposed) == 0)
    }

    @Test func `entries come in pages by name, whatever the order in which they were stored`() async throws {
        let names = (0..<7).map { "u\($0)" }
        for name in names.shuffled() {
            #expect(await call("AddCustomAuthIdentity", Self.user.merging(["Username": name]) { $1 }).status == 200)
        }
        var found: [String] = []
        var token = ""
        repeat {
            let page = await call("QueryCustomAuthIdentity", ["Size": "2", "NextToken": token]).json["Data"]
            found += (page?["Results"]?.items ?? []).compactMap { $0["Username"]?.string }
            token = try #require(page?["NextToken"]?.string)
        } while !token.isEmpty
        #expect(found == names)
    }
}
