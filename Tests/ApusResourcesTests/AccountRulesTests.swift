import ApusMessage
import Testing

@testable import ApusResources

@Suite("Rules of accounts and access keys")
struct AccountRulesTests {
    @Test(arguments: ["a", "shop-2", "SHOP_3", String(repeating: "a", count: 64)])
    func `a name of letters, digits, hyphen and underscore is taken`(name: String) throws {
        let fixture = try ResourceFixture()
        #expect(fixture.refusal(.putAccount(Account(name: name, createdAt: 1))) == nil)
        #expect(fixture.directory.account(name) != nil)
    }

    @Test(arguments: hostileNames + ["", "a b", "a.b", "shop/../x", String(repeating: "a", count: 65)])
    func `another name is refused`(name: String) throws {
        let fixture = try ResourceFixture()
        #expect(fixture.refusal(.putAccount(Account(name: name, createdAt: 1)))?.kind == .invalid(field: "name"))
        #expect(fixture.directory.accounts.map(\.name) == ["shop"])
    }

    @Test func `names that differ in case only are one`() throws {
        let error = try #require(ResourceFixture().refusal(.putAccount(Account(name: "SHOP", createdAt: 1))))
        #expect(error.kind == .exists)
        #expect(error.message.contains("`shop`"))
    }

    @Test func `an account that owns an instance stays`() throws {
        let error = try #require(ResourceFixture().refusal(.deleteAccount(name: "shop")))
        #expect(error.kind == .inUse)
        #expect(error.message.contains("owns instance"))
    }

    @Test func `an account goes with its keys`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(
            .putAccount(Account(name: "other", createdAt: 1)),
            .putAccessKey(ResourceFixture.key("LTAIother", .data, account: "other")),
        )
        try fixture.change(.deleteAccount(name: "other"))
        #expect(fixture.directory.accessKey(id: "LTAIother") == nil)
        #expect(fixture.directory.accessKey(id: "LTAIadmin") != nil)
    }

    @Test func `an unknown account cannot be deleted`() throws {
        #expect(try ResourceFixture().refusal(.deleteAccount(name: "nobody"))?.kind == .notFound)
    }

    // MARK: - Keys

    static let badKeys: [(AccessKey, ResourceError.Kind)] = [
        (ResourceFixture.key(""), .invalid(field: "id")),
        (ResourceFixture.key("a|b"), .invalid(field: "id")),
        (ResourceFixture.key("a\u{0}b"), .invalid(field: "id")),
        (ResourceFixture.key(String(repeating: "a", count: 65)), .invalid(field: "id")),
        (ResourceFixture.key("LTAInew", secret: "1234567"), .invalid(field: "secret")),
        (ResourceFixture.key("LTAInew", secret: String(repeating: "s", count: 129)), .invalid(field: "secret")),
        (ResourceFixture.key("LTAInew", secret: "with a space"), .invalid(field: "secret")),
        (ResourceFixture.key("LTAInew", secret: "gehéimnis"), .invalid(field: "secret")),
        (ResourceFixture.key("LTAInew", account: "nobody"), .notFound),
    ]

    @Test(arguments: badKeys)
    func `a key that breaks a rule is refused, and its secret not told`(key: AccessKey, kind: ResourceError.Kind) throws
    {
        let error = try #require(ResourceFixture().refusal(.putAccessKey(key)))
        #expect(error.kind == kind)
        if kind == .invalid(field: "secret") { #expect(!error.message.contains(key.secret)) }
    }

    @Test func `the bounds of a key are within`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(.putAccessKey(ResourceFixture.key("a", .data, secret: "12345678")))
        let long = String(repeating: "k.-_", count: 16)
        try fixture.change(.putAccessKey(ResourceFixture.key(long, .data, secret: String(repeating: "~", count: 128))))
        #expect(fixture.directory.accessKeys(ofAccount: "shop").map(\.id) == ["LTAIadmin", "a", long])
    }

    @Test func `a key does not change its account`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(
            .putAccount(Account(name: "other", createdAt: 1)),
            .putAccessKey(ResourceFixture.key("LTAIadmin2")),
        )
        let moved = ResourceFixture.key("LTAIadmin2", account: "other")
        #expect(fixture.refusal(.putAccessKey(moved))?.kind == .exists)
    }

    // MARK: - The last administrator

    @Test(arguments: [
        CatalogChange.deleteAccessKey(id: "LTAIadmin"),
        .putAccessKey(ResourceFixture.key("LTAIadmin", .manager)),
        .putAccessKey(ResourceFixture.key("LTAIadmin", .data)),
        .putAccessKey(ResourceFixture.key("LTAIadmin", isEnabled: false)),
    ])
    func `the last administrator stays one, until there is another`(change: CatalogChange) throws {
        let fixture = try ResourceFixture()
        let error = try #require(fixture.refusal(change))
        #expect(error.kind == .inUse)
        #expect(error.message.contains("last administrator"))
        try fixture.change(.putAccessKey(ResourceFixture.key("LTAIspare", isEnabled: false)))
        #expect(fixture.refusal(change)?.kind == .inUse, "a disabled one does not count")
        try fixture.change(.putAccessKey(ResourceFixture.key("LTAIspare")))
        try fixture.change(change)
    }

    @Test func `an account with the last administrator's keys stays`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(
            .putAccount(Account(name: "root", createdAt: 1)),
            .putAccessKey(ResourceFixture.key("LTAIroot1", account: "root")),
            .putAccessKey(ResourceFixture.key("LTAIroot2", account: "root")),
            .deleteAccessKey(id: "LTAIadmin"),
        )
        #expect(fixture.refusal(.deleteAccount(name: "root"))?.kind == .inUse)
        try fixture.change(.putAccessKey(ResourceFixture.key("LTAIadmin")))
        try fixture.change(.deleteAccount(name: "root"))
        #expect(fixture.directory.accounts.map(\.name) == ["shop"])
    }

    @Test func `an unknown key cannot be deleted`() throws {
        #expect(try ResourceFixture().refusal(.deleteAccessKey(id: "nobody"))?.kind == .notFound)
    }
}

/// Names that try to be something else.
let hostileNames = [
    "'; DROP TABLE account; --", "\"quoted\"", "nul\u{0}behind", "../../etc/passwd", "tab\there", "new\nline", "🦀🦀🦀",
    "\u{212A}elvin", "e\u{301}e\u{301}e\u{301}", "\u{202E}drawkcab", String(repeating: "x", count: 1 << 20),
]
