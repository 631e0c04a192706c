import ApusMessage
import ApusResources
import HTTPTypes
import Testing

@testable import ApusManagement

@Suite("Changes by several callers at once")
struct ConcurrentChangeTests {
    /// Calls that are made at once, again and again.
    private static let rounds = 50

    /// The answers in the order of the calls.
    private func atOnce(
        _ calls: [@Sendable () async -> Fixture.Answer],
    ) async -> [Fixture.Answer] {
        await withTaskGroup(of: (Int, Fixture.Answer).self) { tasks in
            for (index, call) in calls.enumerated() { tasks.addTask { (index, await call()) } }
            return await tasks.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    @Test func `a key that is deleted while others change it stays deleted`() async throws {
        let fixture = try Fixture(catalog: YieldingCatalog())
        for round in 0..<Self.rounds {
            let path = "/keys/key-\(round)"
            let new: JSONValue = ["account": "shop", "id": .string("key-\(round)"), "rights": "data"]
            #expect(await fixture.rest(.post, "/keys", new).status == 201)
            let answers = await atOnce([
                { await fixture.rest(.patch, path, ["enabled": false]) },
                { await fixture.rest(.delete, path) },
                { await fixture.rest(.patch, path, ["rights": "manager"]) },
                { await fixture.rest(.patch, path, ["enabled": true]) },
            ])
            #expect(answers[1].status == 204)
            #expect(answers.allSatisfy { [200, 204, 404].contains($0.status) })
            #expect(fixture.manager.directory.accessKey(id: "key-\(round)") == nil)
        }
    }

    @Test func `changes of different limits of one instance are all kept`() async throws {
        let fixture = try Fixture(catalog: YieldingCatalog())
        let names = ["connections", "publishPerSecond", "offlineMessages", "offlineSeconds"]
        let number = try fixture.number()
        for round in 1...Self.rounds {
            let answers = await atOnce(
                names.map { name in
                    {
                        await fixture.rest(
                            .patch,
                            "/instances/\(Fixture.first)",
                            ["limits": .object([.init(name: name, value: .integer(Int64(round)))])]
                        )
                    }
                }
            )
            #expect(answers.allSatisfy { $0.status == 200 })
            let limits = try #require(fixture.manager.directory.instance(number)).limits.values
            #expect(names.compactMap(InstanceLimits.Name.init).allSatisfy { limits[$0] == round })
        }
    }

    @Test func `of two who create the same key one is refused, and only the other's secret counts`() async throws {
        let fixture = try Fixture(catalog: YieldingCatalog())
        for round in 0..<Self.rounds {
            let answers = await atOnce(
                (0..<4).map { caller in
                    {
                        await fixture.rest(
                            .post,
                            "/keys",
                            [
                                "account": "shop", "id": .string("key-\(round)"), "rights": "data",
                                "secret": .string("secret-of-\(caller)"),
                            ]
                        )
                    }
                }
            )
            let made = answers.filter { $0.status == 201 }
            #expect(made.count == 1)
            #expect(answers.filter { $0.status == 409 }.count == 3)
            let secret = fixture.manager.directory.accessKey(id: "key-\(round)")?.secret
            #expect(secret != nil && secret == made.first?.json["secret"]?.string)
        }
    }

    @Test(arguments: [
        ("Identity", ["Secret": "s", "SignMode": "ORIGIN"], ["IdentityType": "USER", "Username": "u"]),
        (
            "Permission", ["Effect": "ALLOW", "PermitAction": "PUB"],
            ["IdentityType": "USER", "Identity": "u", "Topic": "orders/x"]
        ),
    ])
    func `what is deleted while others update it stays deleted`(
        what: String,
        value: [String: String],
        name: [String: String],
    ) async throws {
        let fixture = try Fixture(catalog: YieldingCatalog())
        let subject = name.merging(["InstanceId": Fixture.first]) { $1 }
        let whole = subject.merging(value) { $1 }
        let number = try fixture.number()
        for _ in 0..<Self.rounds {
            let added = await atOnce((0..<3).map { _ in { await fixture.call("AddCustomAuth\(what)", whole) } })
            #expect(added.filter { $0.status == 200 }.count == 1)
            let answers = await atOnce([
                { await fixture.call("UpdateCustomAuth\(what)", whole) },
                { await fixture.call("DeleteCustomAuth\(what)", subject) },
                { await fixture.call("UpdateCustomAuth\(what)", whole) },
            ])
            #expect(answers[1].status == 200)
            #expect(fixture.manager.directory.identities(of: number).isEmpty)
            #expect(fixture.manager.directory.permissions(of: number).isEmpty)
        }
    }

    @Test func `a credential that is removed while others refresh it stays removed`() async throws {
        let fixture = try Fixture(catalog: YieldingCatalog())
        let subject = ["InstanceId": Fixture.first, "ClientId": "GID_apus@@@1"]
        let number = try fixture.number()
        for _ in 0..<Self.rounds {
            #expect(await fixture.call("RegisterDeviceCredential", subject).status == 200)
            let answers = await atOnce([
                { await fixture.call("RefreshDeviceCredential", subject) },
                { await fixture.call("UnRegisterDeviceCredential", subject) },
                { await fixture.call("RefreshDeviceCredential", subject) },
            ])
            #expect(answers[1].status == 200)
            #expect(fixture.manager.directory.deviceCredential(number, clientID: "GID_apus@@@1") == nil)
        }
    }
}
