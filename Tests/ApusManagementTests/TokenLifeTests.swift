import ApusMessage
import ApusResources
import HTTPTypes
import Testing

@testable import ApusManagement

/// What becomes of tokens when their access key changes, and when there are very many revocations.
@Suite("Tokens and their keys")
struct TokenLifeTests {
    private static let key = Fixture.manager
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func issue(key: Fixture.Key = Self.key) async throws -> String {
        let answer = await fixture.call(
            "ApplyToken",
            [
                "InstanceId": Fixture.first, "Actions": "R", "ExpireTime": "\(fixture.now + 3_600_000)",
                "Resources": "orders",
            ],
            key: key,
        )
        return try #require(answer.json["Token"]?.string, "\(answer)")
    }

    /// What both APIs say.
    private func holds(_ token: String) async -> Bool {
        let rest = await fixture.rest(
            .post,
            "/instances/\(Fixture.first)/tokens/query",
            ["token": .string(token)],
        )
        let rpc = await fixture.call("QueryToken", ["InstanceId": Fixture.first, "Token": token])
        #expect(rest.json["valid"] == rpc.json["TokenStatus"])
        #expect((rest.json["reason"] == nil) == (rest.json["valid"] == true))
        return rest.json["valid"] == true
    }

    private func create(_ key: Fixture.Key, secret: String) async {
        let new: JSONValue = [
            "account": "shop", "id": .string(key.id), "rights": "manager", "secret": .string(secret),
        ]
        #expect(await fixture.rest(.post, "/keys", new).status == 201)
    }

    @Test(arguments: ["anotherSecret", Self.key.secret])
    func `tokens of a deleted key do not come back with its id`(secret: String) async throws {
        let old = try await issue()
        #expect(await holds(old))
        #expect(await fixture.rest(.delete, "/keys/\(Self.key.id)").status == 204)
        #expect(await !holds(old))
        fixture.now += 1
        await create(Self.key, secret: secret)
        #expect(await !holds(old))
        #expect(await holds(try await issue(key: .init(id: Self.key.id, secret: secret))))
    }

    @Test func `tokens end with the secret that was current when they were issued`() async throws {
        let old = try await issue()
        fixture.now += 1
        func apply(_ secret: String) async {
            let document: JSONValue = [
                "accounts": [
                    [
                        "name": "shop",
                        "keys": [
                            [
                                "id": .string(Fixture.admin.id), "secret": .string(Fixture.admin.secret),
                                "rights": "administrator",
                            ], ["id": .string(Self.key.id), "secret": .string(secret), "rights": "manager"],
                        ],
                    ]
                ]
            ]
            #expect(await fixture.rest(.post, "/apply", document).status == 200)
        }
        await apply(Self.key.secret)
        #expect(await holds(old), "nothing has changed")
        await apply("anotherSecret")
        #expect(await !holds(old))
        let new = try await issue(key: .init(id: Self.key.id, secret: "anotherSecret"))
        #expect(await holds(new))
        #expect(await fixture.rest(.patch, "/keys/\(Self.key.id)", ["rights": "data"]).status == 200)
        #expect(await holds(new), "its secret stays")
    }

    @Test func `a token that is issued by a clock that was set back counts`() async throws {
        fixture.now -= 60_000
        await create(.init(id: "late", secret: ""), secret: "lateSecret")
        fixture.now -= 60_000
        #expect(await holds(try await issue(key: .init(id: "late", secret: "lateSecret"))))
    }

    /// As MQTT judges it.
    @Test func `a token is no better than its key's right to the instance`() async throws {
        let token = try await issue()
        var instance = try #require(fixture.manager.directory.instance(id: Fixture.first))
        instance.account = "rival"
        try fixture.manager.change([.putInstance(instance)], by: .local, action: "", instance: "", detail: "")
        #expect(await !holds(token))
    }

    // MARK: - Revocations

    private func revoke(_ token: String) async -> Int {
        await fixture.call("RevokeToken", ["InstanceId": Fixture.first, "Token": token]).status
    }

    private func store(_ count: Int, endingAt time: Int64) throws {
        let number = try fixture.number()
        let changes = (0..<count).map {
            CatalogChange.putRevokedToken(RevokedToken(instance: number, tokenID: "t\($0)", expiresAt: time))
        }
        try fixture.manager.change(changes, by: .local, action: "", instance: "", detail: "")
    }

    @Test func `the limit of credentials does not keep a token good`() async throws {
        let change: JSONValue = ["limits": ["deviceCredentials": 1]]
        #expect(await fixture.rest(.patch, "/instances/\(Fixture.first)", change).status == 200)
        for _ in 0..<3 {
            let token = try await issue()
            #expect(await revoke(token) == 200)
            #expect(await !holds(token))
        }
    }

    @Test func `revocations of tokens that have ended make room`() async throws {
        try store(TokenDesk.mostRevocations, endingAt: fixture.now - 1)
        let (revoked, kept) = (try await issue(), try await issue())
        #expect(await revoke(revoked) == 200)
        #expect(await !holds(revoked))
        #expect(await holds(kept))
        #expect(fixture.manager.directory.revocations(of: try fixture.number()) == 1)
    }

    @Test func `where there is no room for a revocation, the key takes back the token with all before it`() async throws
    {
        try store(TokenDesk.mostRevocations, endingAt: .max)
        let older = try await issue()
        let others = try await issue(key: Fixture.admin)
        fixture.now += 1
        let revoked = try await issue()
        fixture.now += 1
        let newer = try await issue()
        #expect(await revoke(revoked) == 200)
        #expect(await !holds(revoked))
        #expect(await !holds(older))
        #expect(await holds(newer))
        #expect(await holds(others))
        #expect(fixture.manager.directory.revocations(of: try fixture.number()) == TokenDesk.mostRevocations)
    }
}
