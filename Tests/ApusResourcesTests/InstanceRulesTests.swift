import ApusMessage
import Testing

@testable import ApusResources

@Suite("Rules of instances, parent topics, groups and tags")
struct InstanceRulesTests {
    // MARK: - Instances

    @Test(arguments: ["abc", "post-cn-0pp12gl", "A_b-9", String(repeating: "i", count: 64)])
    func `an id of 3 to 64 letters, digits, hyphens and underscores is taken`(id: String) throws {
        let fixture = try ResourceFixture()
        try fixture.change(.putInstance(ResourceFixture.instance(id)))
        let made = try #require(fixture.directory.instance(id: id))
        #expect(made.name == id)
        #expect(fixture.directory.instance(made.number) == made)
    }

    @Test(arguments: hostileNames + ["", "ab", "a.b.c", "a|b", String(repeating: "i", count: 65)])
    func `another id or name is refused`(text: String) throws {
        let fixture = try ResourceFixture()
        #expect(fixture.refusal(.putInstance(ResourceFixture.instance(text)))?.kind == .invalid(field: "id"))
        var named = ResourceFixture.instance("fine")
        named.name = text
        #expect(fixture.refusal(.putInstance(named))?.kind == .invalid(field: "name"))
        #expect(fixture.directory.instances.count == 2)
    }

    @Test(arguments: ["plain", "PLAIN", "Plain"])
    func `an id stands once, whatever the case`(id: String) throws {
        #expect(try ResourceFixture().refusal(.putInstance(ResourceFixture.instance(id)))?.kind == .exists)
    }

    @Test func `a name stands once, whatever the case`() throws {
        var other = ResourceFixture.instance("other")
        other.name = "PLAIN"
        #expect(try ResourceFixture().refusal(.putInstance(other))?.kind == .exists)
    }

    @Test func `an id does not change`() throws {
        let fixture = try ResourceFixture()
        var instance = try #require(fixture.directory.instance(fixture.plain))
        instance.id = "renamed"
        #expect(fixture.refusal(.putInstance(instance))?.kind == .invalid(field: "id"))
    }

    @Test func `an instance belongs to an account that exists`() throws {
        var other = ResourceFixture.instance("other")
        other.account = "nobody"
        #expect(try ResourceFixture().refusal(.putInstance(other))?.kind == .notFound)
    }

    @Test func `a number that was never given is unknown`() throws {
        var other = ResourceFixture.instance("other")
        other.number = InstanceNumber(rawValue: 77)
        #expect(try ResourceFixture().refusal(.putInstance(other))?.kind == .notFound)
    }

    @Test(arguments: InstanceLimits.Name.allCases)
    func `a limit stays within its range`(name: InstanceLimits.Name) throws {
        let fixture = try ResourceFixture()
        for value in [name.range.lowerBound, name.range.upperBound] { try fixture.limit([name: value]) }
        for value in [name.range.lowerBound - 1, name.range.upperBound + 1, .min, .max] {
            var instance = try #require(fixture.directory.instance(fixture.instance))
            instance.limits = LimitOverrides([name: value])
            #expect(fixture.refusal(.putInstance(instance))?.kind == .invalid(field: "limits.\(name.rawValue)"))
        }
    }

    @Test func `an instance goes with all that belongs to it`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(
            fixture.topic("orders"),
            fixture.group("GID_apus"),
            fixture.tag("env", on: "orders"),
            fixture.credential("GID_apus@@@1"),
            fixture.ban("GID_apus@@@2"),
        )
        try fixture.change(.deleteInstance(fixture.instance))
        #expect(fixture.directory.instance(id: "post-cn-apus00001") == nil)
        #expect(!fixture.directory.hasTopic(fixture.instance, "orders"))
        #expect(!fixture.directory.hasGroup(fixture.instance, "GID_apus"))
        #expect(fixture.directory.tags(of: fixture.instance).isEmpty)
        #expect(fixture.directory.deviceCredential(fixture.instance, clientID: "GID_apus@@@1") == nil)
        #expect(!fixture.directory.isBanned(fixture.instance, clientID: "GID_apus@@@2"))
        #expect(fixture.refusal(.deleteInstance(fixture.instance))?.kind == .notFound)
        #expect(fixture.refusal(fixture.topic("orders"))?.kind == .notFound)
    }

    // MARK: - Parent topics

    @Test(arguments: ["abc", "orders-2", "ORDERS_3", String(repeating: "t", count: 64)])
    func `a parent topic of 3 to 64 letters, digits, hyphens and underscores is taken`(name: String) throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.topic(name))
        #expect(fixture.directory.hasTopic(fixture.instance, name))
        #expect(!fixture.directory.hasTopic(fixture.plain, name), "instances do not see each other's")
    }

    @Test(
        arguments: hostileNames + [
            "", "ab", "a/b", "a+b", "a#b", "$SYS", "a:b", "a,b", String(repeating: "t", count: 65),
        ]
    )
    func `another parent topic is refused`(name: String) throws {
        let fixture = try ResourceFixture()
        let error = try #require(fixture.refusal(fixture.topic(name)))
        #expect(error.kind == .invalid(field: "name"))
        #expect(error.message.utf8.count < 1_000, "hostile names do not fill logs")
        #expect(!error.message.utf8.contains(0))
    }

    @Test(arguments: ["Orders", "ORDERS", "ordersX"])
    func `parent topics that differ in case only are one`(name: String) throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.topic("orders"))
        #expect(fixture.refusal(fixture.topic(name))?.kind == (name == "ordersX" ? nil : .exists))
        #expect(!fixture.directory.hasTopic(fixture.instance, "Orders"), "topics are looked up by their exact text")
    }

    @Test func `a remark of an existing parent topic changes, also at the limit`() throws {
        let fixture = try ResourceFixture()
        try fixture.limit([.parentTopics: 1])
        try fixture.change(fixture.topic("orders"))
        try fixture.change(fixture.topic("orders", remark: String(repeating: "é", count: 128)))
        #expect(fixture.directory.topics(of: fixture.instance).first?.remark.count == 128)
        let tooLong = fixture.topic("orders", remark: String(repeating: "é", count: 129))
        #expect(fixture.refusal(tooLong)?.kind == .invalid(field: "remark"))
        #expect(fixture.refusal(fixture.topic("orders", remark: "a\u{0}b"))?.kind == .invalid(field: "remark"))
    }

    @Test func `the 26th parent topic is refused, naming the limit`() throws {
        let fixture = try ResourceFixture()
        for index in 1...25 { try fixture.change(fixture.topic("topic\(index)")) }
        let error = try #require(fixture.refusal(fixture.topic("topic26")))
        #expect(error.kind == .overLimit(.parentTopics))
        #expect(error.message.contains("`post-cn-apus00001`"))
        #expect(error.message.contains("parentTopics of 25"))
        try fixture.change(.deleteTopic(fixture.instance, name: "topic7"), fixture.topic("topic26"))
        try fixture.limit([.parentTopics: 26])
        try fixture.change(fixture.topic("topic27"))
        for index in 1...40 { try fixture.change(fixture.topic("topic\(index)", in: fixture.plain)) }
    }

    @Test func `an unknown parent topic cannot be deleted`() throws {
        let fixture = try ResourceFixture()
        #expect(fixture.refusal(.deleteTopic(fixture.instance, name: "orders"))?.kind == .notFound)
    }

    // MARK: - Groups

    @Test(arguments: ["GID_abc", "GID-abc", "GID_" + String(repeating: "g", count: 60)])
    func `a group of 7 to 64 characters that begins GID is taken`(id: String) throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.group(id))
        #expect(fixture.directory.hasGroup(fixture.instance, id))
        #expect(!fixture.directory.hasGroup(fixture.plain, id))
        try fixture.change(.deleteGroup(fixture.instance, id: id))
        #expect(!fixture.directory.hasGroup(fixture.instance, id))
        #expect(fixture.refusal(.deleteGroup(fixture.instance, id: id))?.kind == .notFound)
    }

    @Test(
        arguments: hostileNames + [
            "", "GID_ab", "gid_abc", "GIDabcd", "GID_a@@b", "GID_" + String(repeating: "g", count: 61),
        ]
    )
    func `another group is refused`(id: String) throws {
        let fixture = try ResourceFixture()
        #expect(fixture.refusal(fixture.group(id))?.kind == .invalid(field: "id"))
    }

    @Test func `a group past the limit is refused`() throws {
        let fixture = try ResourceFixture()
        try fixture.limit([.groups: 2])
        try fixture.change(fixture.group("GID_one"), fixture.group("GID_two"))
        try fixture.change(fixture.group("GID_two"))
        #expect(fixture.refusal(fixture.group("GID_three"))?.kind == .overLimit(.groups))
    }

    // MARK: - Tags

    @Test func `what carries a tag exists`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.topic("orders"), fixture.group("GID_apus"))
        try fixture.change(
            fixture.tag("env", on: "orders"),
            fixture.tag("env", on: "GID_apus", .group),
            fixture.tag("env", on: "post-cn-apus00001", .instance),
        )
        #expect(fixture.directory.tags(of: fixture.instance).map(\.kind) == [.group, .instance, .topic])
        #expect(fixture.refusal(fixture.tag("env", on: "chat"))?.kind == .notFound)
        #expect(fixture.refusal(fixture.tag("env", on: "orders", .group))?.kind == .notFound)
        #expect(fixture.refusal(fixture.tag("env", on: "plain", .instance))?.kind == .notFound)
    }

    @Test(arguments: [
        ("", "v", "Tag.Key"), (String(repeating: "k", count: 65), "v", "Tag.Key"), ("k\u{0}", "v", "Tag.Key"),
        ("k", String(repeating: "v", count: 129), "Tag.Value"), ("k", "v\u{7F}", "Tag.Value"),
    ])
    func `a tag out of bounds is refused`(key: String, value: String, field: String) throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.topic("orders"))
        #expect(fixture.refusal(fixture.tag(key, value, on: "orders"))?.kind == .invalid(field: field))
    }

    @Test func `the 21st tag is refused, and a known one changes`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.topic("orders"), fixture.topic("chat"))
        for index in 1...20 { try fixture.change(fixture.tag("key\(index)", on: "orders")) }
        #expect(fixture.refusal(fixture.tag("key21", on: "orders"))?.kind == .invalid(field: "Tag"))
        try fixture.change(fixture.tag("key20", "new", on: "orders"), fixture.tag("key21", on: "chat"))
        try fixture.change(.deleteTag(fixture.instance, .topic, resource: "orders", key: "key1"))
        try fixture.change(fixture.tag("key21", on: "orders"))
    }

    @Test func `a deleted topic or group leaves no tags to one of its name`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.topic("orders"), fixture.group("GID_apus"))
        try fixture.change(fixture.tag("env", on: "orders"), fixture.tag("env", on: "GID_apus", .group))
        try fixture.change(
            .deleteTopic(fixture.instance, name: "orders"),
            .deleteGroup(fixture.instance, id: "GID_apus"),
        )
        try fixture.change(fixture.topic("orders"), fixture.group("GID_apus"))
        #expect(fixture.directory.tags(of: fixture.instance).isEmpty)
    }

    @Test(arguments: [InstanceLimits.Name.parentTopics, .groups])
    func `a limit does not come down to less than there is`(limit: InstanceLimits.Name) throws {
        let fixture = try ResourceFixture()
        try fixture.change(
            fixture.topic("one"),
            fixture.topic("two"),
            fixture.group("GID_one"),
            fixture.group("GID_two"),
        )
        var instance = try #require(fixture.directory.instance(fixture.instance))
        instance.limits = LimitOverrides([limit: 1])
        let error = try #require(fixture.refusal(.putInstance(instance)))
        #expect(error.kind == .overLimit(limit))
        #expect(error.message.contains("has 2 already"))
        instance.limits = LimitOverrides([limit: 2])
        try fixture.change(.putInstance(instance))
        let document = ResourceDocument(fixture.directory)
        #expect(try ResourcePlan.make(document, fixture.directory, now: 1).isEmpty, "what is exported can be applied")
        let other = try ResourceManager(catalog: MemoryCatalog()) { 1 }
        try ResourcePlan.apply(document, to: other, by: .local)
        #expect(ResourceDocument(other.directory) == document)
        instance.limits = LimitOverrides([limit: 1])
        try fixture.change(
            .deleteTopic(fixture.instance, name: "one"),
            .deleteGroup(fixture.instance, id: "GID_one"),
            .putInstance(instance),
        )
    }

    @Test func `a profile does not bring down a limit to less than there is`() throws {
        let fixture = try ResourceFixture()
        for index in 0..<26 { try fixture.change(fixture.topic("topic\(index)", in: fixture.plain)) }
        var instance = try #require(fixture.directory.instance(fixture.plain))
        instance.profile = .apsaramq
        #expect(fixture.refusal(.putInstance(instance))?.kind == .overLimit(.parentTopics))
        instance.limits.values[.parentTopics] = 26
        try fixture.change(.putInstance(instance))
    }

    @Test func `an instance that is over a limit already can be changed otherwise`() throws {
        let catalog = MemoryCatalog()
        let first = try ResourceFixture(catalog)
        try first.change(first.topic("one"), first.topic("two"))
        var instance = try #require(first.directory.instance(first.instance))
        instance.limits.values[.parentTopics] = 1
        _ = try catalog.commit([.putInstance(instance)], audit: nil)
        let later = try ResourceManager(catalog: catalog) { 1 }
        instance.state = .stopped
        try later.change([.putInstance(instance)], by: .local, action: "", instance: "", detail: "")
        instance.limits.values[.parentTopics] = 1_000
        try later.change([.putInstance(instance)], by: .local, action: "", instance: "", detail: "")
    }
}
