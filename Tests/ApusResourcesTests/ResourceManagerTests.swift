import ApusLocks
import ApusMessage
import Testing

@testable import ApusResources

@Suite("The writer of the catalog")
struct ResourceManagerTests {
    @Test func `all changes of a transaction are made, or none`() throws {
        let fixture = try ResourceFixture()
        let error = fixture.refusal(fixture.topic("orders"), fixture.group("GID_apus"), fixture.topic("ORDERS"))
        #expect(error?.kind == .exists)
        #expect(fixture.directory.topics(of: fixture.instance).isEmpty)
        #expect(fixture.directory.groups(of: fixture.instance).isEmpty)
        try fixture.change(fixture.topic("orders"), fixture.group("GID_apus"))
        #expect(fixture.directory.hasTopic(fixture.instance, "orders"))
        #expect(fixture.directory.hasGroup(fixture.instance, "GID_apus"))
    }

    @Test func `a change is checked against what those before it leave`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(
            .putAccount(Account(name: "other", createdAt: 1)),
            .putAccessKey(ResourceFixture.key("LTAIother", account: "other")),
            .deleteAccessKey(id: "LTAIadmin"),
            fixture.topic("orders"),
            fixture.tag("env", on: "orders"),
            .deleteTopic(fixture.instance, name: "orders"),
            fixture.topic("ORDERS"),
        )
        #expect(fixture.directory.topics(of: fixture.instance).map(\.name) == ["ORDERS"])
        #expect(fixture.directory.tags(of: fixture.instance).isEmpty)
    }

    @Test func `an instance and what belongs to it are made together`() throws {
        let fixture = try ResourceFixture()
        let new = InstanceNumber.provisional(0)
        var instance = ResourceFixture.instance("other")
        instance.number = new
        let made = try fixture.change(.putInstance(instance), fixture.topic("orders", in: new))
        let number = try #require(fixture.directory.instance(id: "other")).number
        #expect(!number.isNew)
        #expect(
            made == [
                .putInstance(try #require(fixture.directory.instance(number))), fixture.topic("orders", in: number),
            ]
        )
        #expect(fixture.directory.hasTopic(number, "orders"))
        #expect(fixture.refusal(fixture.topic("orders", in: new))?.kind == .notFound)
    }

    @Test func `several new instances of one transaction get numbers of their own`() throws {
        let fixture = try ResourceFixture()
        let made = try fixture.change(
            .putInstance(ResourceFixture.instance("one")),
            .putInstance(ResourceFixture.instance("two")),
        )
        let numbers = made.compactMap { if case .putInstance(let instance) = $0 { instance.number } else { nil } }
        #expect(Set(numbers).count == 2)
        #expect(fixture.directory.instances.map(\.id) == ["post-cn-apus00001", "plain", "one", "two"])
        let twice = fixture.refusal(
            .putInstance(ResourceFixture.instance("three")),
            .putInstance(ResourceFixture.instance("THREE")),
        )
        #expect(twice?.kind == .exists)
    }

    // MARK: - Audit

    @Test func `each call stands in the audit log, a refused one with its code`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.topic("orders"))
        _ = fixture.refusal(fixture.topic("ORDERS"))
        let entries = try fixture.manager.audit(before: nil, limit: 2, instance: nil)
        #expect(entries.map(\.outcome) == ["Exists", "ok"])
        let last = try #require(entries.last)
        #expect(last.actor == "LTAIadmin")
        #expect(last.source == "127.0.0.1")
        #expect(last.action == "Test")
        #expect(last.instance == "post-cn-apus00001")
        #expect(last.detail == "a test")
        #expect(last.time == ResourceFixture.now)
    }

    @Test func `the audit log holds no control characters and no floods`() throws {
        let fixture = try ResourceFixture()
        let flood = String(repeating: "x", count: 1 << 20)
        try fixture.manager.change(
            [fixture.topic("orders")],
            by: .init(name: "a\u{0}b", source: flood),
            action: "line\nbreak",
            instance: flood,
            detail: "nul\u{0}" + flood,
        )
        try fixture.manager.recordRefusal(
            by: .init(name: "a\u{0}b", source: flood),
            action: "line\nbreak",
            instance: flood,
            detail: "nul\u{0}" + flood,
            outcome: "\u{7F}" + flood,
        )
        let entries = try fixture.manager.audit(before: nil, limit: 2, instance: nil)
        #expect(entries.map(\.outcome.first) == ["\u{FFFD}", "o"])
        for entry in entries {
            #expect(entry.actor == "a\u{FFFD}b")
            #expect(entry.action == "line\u{FFFD}break")
            #expect(entry.detail.hasPrefix("nul\u{FFFD}xxx"))
            #expect(entry.detail.hasSuffix("…"))
            #expect((entry.detail + entry.source + entry.instance + entry.outcome).count < 5_000)
        }
    }

    // MARK: - Observers

    @Test func `observers hear of each change in order, once it is visible`() throws {
        let fixture = try ResourceFixture()
        let heard = Guarded<[String]>([])
        let directory = fixture.directory
        for name in ["first", "second"] {
            fixture.manager.observe { changes in
                heard.withLock {
                    $0.append("\(name): \(changes.count) \(directory.topics(of: fixture.instance).count)")
                }
            }
        }
        try fixture.change(fixture.topic("orders"))
        _ = fixture.refusal(fixture.topic("ORDERS"))
        try fixture.change(fixture.topic("chat"), fixture.group("GID_apus"))
        #expect(heard.withLock { $0 } == ["first: 1 1", "second: 1 1", "first: 2 2", "second: 2 2"])
    }

    @Test func `the revision grows with each change, not with a refusal`() throws {
        let fixture = try ResourceFixture()
        let before = fixture.directory.revision
        try fixture.change(fixture.topic("orders"))
        let after = fixture.directory.revision
        #expect(after > before)
        _ = fixture.refusal(fixture.topic("ORDERS"))
        #expect(fixture.directory.revision == after)
    }

    @Test func `writers take turns`() async throws {
        let fixture = try ResourceFixture()
        try fixture.limit([.parentTopics: 10])
        let accepted = await withTaskGroup(of: Bool.self) { tasks in
            for index in 0..<40 {
                tasks.addTask { fixture.refusal(fixture.topic("topic\(index)")) == nil }
            }
            return await tasks.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(accepted == 10)
        #expect(fixture.directory.topics(of: fixture.instance).count == 10)
    }

    // MARK: - Storage

    /// Commits until it is told not to.
    private final class FailingCatalog: Catalog {
        let inner = MemoryCatalog()
        let isBroken = Guarded(false)

        func load() throws(CatalogError) -> CatalogContents { try inner.load() }

        func commit(_ changes: [CatalogChange], audit: AuditEntry?) throws(CatalogError) -> [CatalogChange] {
            guard !isBroken.withLock({ $0 }) else { throw .storage("no space left") }
            return try inner.commit(changes, audit: audit)
        }

        func audit(before: Int64?, limit: Int, instance: String?) throws(CatalogError) -> [AuditEntry] {
            try inner.audit(before: before, limit: limit, instance: instance)
        }
    }

    @Test func `when the storage fails nothing has changed, and nobody is told`() throws {
        let catalog = FailingCatalog()
        let fixture = try ResourceFixture(catalog)
        let told = Guarded(0)
        fixture.manager.observe { _ in told.withLock { $0 += 1 } }
        let revision = fixture.directory.revision
        catalog.isBroken.withLock { $0 = true }
        let error = try #require(fixture.refusal(fixture.topic("orders")))
        #expect(error.kind == .storage)
        #expect(error.message.contains("no space left"))
        #expect(!fixture.directory.hasTopic(fixture.instance, "orders"))
        #expect(fixture.directory.revision == revision)
        #expect(told.withLock { $0 } == 0)
        #expect(fixture.refusal(fixture.topic("x"))?.kind == .invalid(field: "name"), "a rule is told all the same")
        catalog.isBroken.withLock { $0 = false }
        try fixture.change(fixture.topic("orders"))
        #expect(told.withLock { $0 } == 1)
    }

    @Test func `what the catalog holds is there after the next start`() throws {
        let catalog = MemoryCatalog()
        let first = try ResourceFixture(catalog)
        try first.change(first.topic("orders"), first.credential("GID_a@@@1"))
        let second = try ResourceManager(catalog: catalog) { 0 }
        #expect(second.directory.instances == first.directory.instances)
        #expect(second.directory.hasTopic(first.instance, "orders"))
        #expect(
            second.directory.serviceSecret(TokenSeal.secretName) == first.directory.serviceSecret(TokenSeal.secretName)
        )
    }

    @Test(arguments: [0, 31, 33])
    func `a secret of tokens of another length is not used`(count: Int) throws {
        let catalog = MemoryCatalog()
        let secret = [UInt8](repeating: 0, count: count)
        _ = try catalog.commit([.putServiceSecret(name: TokenSeal.secretName, secret)], audit: nil)
        #expect(throws: CatalogError.unusable("the secret of the tokens is damaged")) {
            _ = try ResourceManager(catalog: catalog) { 0 }
        }
    }

    // MARK: - Keys and tokens

    @Test func `made keys and credentials keep the rules and differ`() throws {
        let fixture = try ResourceFixture()
        let keys = try (0..<50).map { _ in try fixture.manager.newAccessKey(account: "shop", rights: .data) }
        #expect(Set(keys.map(\.id)).count == 50)
        #expect(Set(keys.map(\.secret)).count == 50)
        for key in keys { try fixture.change(.putAccessKey(key)) }
        let first = try fixture.manager.newDeviceCredential(fixture.instance, clientID: "GID_a@@@1")
        try fixture.change(.putDeviceCredential(first))
        let second = try fixture.manager.newDeviceCredential(fixture.instance, clientID: "GID_a@@@1")
        #expect(first.accessKeyID != second.accessKeyID)
        #expect(first.accessKeySecret != second.accessKeySecret)
        #expect(second.createdAt == first.createdAt)
        try fixture.change(.putDeviceCredential(second))
    }

    @Test func `a token lives from 60 seconds to 30 days`() throws {
        let fixture = try ResourceFixture()
        let now = ResourceFixture.now
        func issue(_ life: Int64) throws(ResourceError) -> Token? {
            fixture.manager.seal.open(
                try fixture.manager.issueToken(
                    fixture.instance,
                    accessKeyID: "LTAIadmin",
                    mayRead: true,
                    mayWrite: false,
                    resources: ["orders/#"],
                    expiresAt: now + life,
                )
            )
        }
        let shortest = try #require(try issue(60_000))
        #expect(shortest.expiresAt == now + 60_000)
        #expect(shortest.issuedAt == now)
        #expect(shortest.instance == fixture.instance)
        #expect(shortest.accessKeyID == "LTAIadmin")
        #expect(shortest.mayRead && !shortest.mayWrite)
        #expect(try issue(31 * 86_400_000)?.expiresAt == now + 30 * 86_400_000)
        #expect(try issue(60_000)?.id != shortest.id)
        #expect(throws: ResourceError.self) { try issue(59_999) }
        #expect(throws: ResourceError.self) { try issue(-1) }
    }

    @Test(arguments: [
        (false, false, ["a"], "Actions"), (true, true, [], "Resources"),
        (true, true, Array(repeating: "a", count: 101), "Resources"), (true, true, [""], "Resources"),
        (true, true, [String(repeating: "a", count: 257)], "Resources"),
    ])
    func `a token out of bounds is not issued`(
        mayRead: Bool,
        mayWrite: Bool,
        resources: [String],
        field: String,
    ) throws {
        let fixture = try ResourceFixture()
        let error = #expect(throws: ResourceError.self) {
            try fixture.manager.issueToken(
                fixture.instance,
                accessKeyID: "LTAIadmin",
                mayRead: mayRead,
                mayWrite: mayWrite,
                resources: resources,
                expiresAt: .max,
            )
        }
        #expect(error?.kind == .invalid(field: field))
    }
}
