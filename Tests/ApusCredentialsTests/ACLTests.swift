import ApusBroker
import ApusTopics
import Testing

@testable import ApusCredentials

private func rights(_ text: String) throws -> ACLAuthorizer {
    ACLAuthorizer(try ACLFile(parsing: text, file: "acl"))
}

private func alice(_ clientID: String = "c1") -> Principal { Principal(clientID: clientID, userName: "alice") }
private func anonymous(_ clientID: String = "c1") -> Principal { Principal(clientID: clientID, userName: nil) }

@Suite("Rights by ACL file")
struct ACLTests {
    static let example = """
        # who        right       what
        topic read news/#
        user alice
        topic read sensors/#
        topic write commands/%c/in
        topic readwrite chat/%u/#
        topic deny secrets/#
        topic deny sensors/secret/+
        topic plain
        client-id gateway-1
        topic write upstream/#
        pattern readwrite devices/%c/#
        user bob smith
        topic read a b/c
        user alice
        topic write again
        """

    @Test(arguments: [
        ("sensors/a", false), ("commands/c1/in", true), ("commands/c2/in", false), ("commands/c1/in/x", false),
        ("chat/alice", true), ("chat/alice/x/y", true), ("chat/bob", false), ("devices/c1", true),
        ("devices/c1/x", true), ("devices/c2/x", false), ("secrets/x", false), ("plain", true), ("again", true),
        ("upstream/x", false), ("news/x", false), ("other", false), ("", false),
    ])
    func `a user may publish what was granted`(topic: String, allowed: Bool) throws {
        #expect(try rights(Self.example).mayPublish(alice(), topic: topic) == allowed)
    }

    @Test(arguments: [
        ("sensors/a", true), ("sensors/+/x/y", true), ("sensors/x/#", true), ("sensors", true),
        ("chat/alice/#", true), ("chat/+", false), ("chat/#", false), ("#", false), ("+", false), ("plain", true),
        // Reaches into what is denied.
        ("sensors/#", false), ("sensors/+/b", false), ("sensors/+/x/#", false), ("sensors/secret/x", false),
        ("sensors/secret/x/y", true),
        ("commands/c1/in", false), ("again", false), ("news/x", false), ("$SYS/#", false),
        // No filters at all, or with their group.
        ("", false), ("sensors/#/x", false), ("$share/g/sensors/a", false),
    ])
    func `a user may subscribe to what one right covers and no prohibition touches`(filter: String, allowed: Bool)
        throws
    {
        #expect(try rights(Self.example).maySubscribe(alice(), filter: filter) == allowed)
    }

    @Test func `lines before the first heading are for anonymous clients only`() throws {
        let acl = try rights(Self.example)
        #expect(acl.maySubscribe(anonymous(), filter: "news/x"))
        #expect(!acl.mayPublish(anonymous(), topic: "news/x"))
        #expect(!acl.maySubscribe(anonymous(), filter: "sensors/x"))
        #expect(acl.mayPublish(anonymous(), topic: "devices/c1/x"))
        #expect(!acl.maySubscribe(Principal(clientID: "c", userName: "mallory"), filter: "news/x"))
    }

    @Test func `a client id's rights come on top of the user's`() throws {
        let acl = try rights(Self.example)
        #expect(acl.mayPublish(alice("gateway-1"), topic: "upstream/x"))
        #expect(acl.mayPublish(alice("gateway-1"), topic: "chat/alice"))
        #expect(!acl.mayPublish(alice("gateway-2"), topic: "upstream/x"))
    }

    @Test func `names and filters may hold blanks`() throws {
        let acl = try rights(Self.example)
        #expect(acl.maySubscribe(Principal(clientID: "c", userName: "bob smith"), filter: "a b/c"))
        #expect(!acl.maySubscribe(Principal(clientID: "c", userName: "bob"), filter: "a b/c"))
    }

    @Test(arguments: ["+", "#", "a/b", "/", "a+", "#a", "", "a\0b"])
    func `a name that would change the filter is granted nothing`(name: String) throws {
        let acl = try rights("pattern readwrite devices/%c/#\npattern readwrite users/%u/#\npattern write %c/x")
        let principal = Principal(clientID: name, userName: name)
        for topic in [
            "devices/a/b", "devices/\(name)", "devices/\(name)/x", "users/a/b", "users/\(name)/x", "\(name)/x",
        ] {
            #expect(!acl.mayPublish(principal, topic: topic))
            #expect(!acl.maySubscribe(principal, filter: topic))
        }
    }

    @Test func `a client id cannot reach the $ topics through the first level`() throws {
        let acl = try rights("pattern readwrite %c/#")
        #expect(!acl.maySubscribe(anonymous("$SYS"), filter: "$SYS/#"))
        #expect(!acl.mayPublish(anonymous("$SYS"), topic: "$SYS/x"))
        #expect(acl.mayPublish(anonymous("me"), topic: "me/x"))
    }

    @Test func `wildcard rights do not reach the $ topics, named ones do`() throws {
        #expect(!(try rights("topic read #").maySubscribe(anonymous(), filter: "$SYS/#")))
        #expect(try rights("topic read #").maySubscribe(anonymous(), filter: "#"))
        #expect(try rights("topic read $SYS/#").maySubscribe(anonymous(), filter: "$SYS/broker/+"))
        #expect(try rights("topic read #\ntopic deny $SYS/#").maySubscribe(anonymous(), filter: "#"))
    }

    @Test func `a prohibition cannot be escaped by a clever client id`() throws {
        let acl = try rights("pattern readwrite #\npattern deny private/%c/x\npattern deny users/%u/#")
        #expect(!acl.mayPublish(anonymous("me"), topic: "private/me/x"))
        #expect(acl.mayPublish(anonymous("me"), topic: "private/you/x"))
        #expect(!acl.mayPublish(anonymous("a/b"), topic: "private/a/b/x"))
        #expect(acl.mayPublish(anonymous("a/b"), topic: "other"))
        #expect(acl.mayPublish(anonymous("me"), topic: "users/me"))
        #expect(!(try rights("pattern write #\npattern deny %c/x").mayPublish(anonymous("a/b"), topic: "y")))
    }

    @Test func `an empty file grants nothing`() throws {
        let acl = try rights("# nobody\n")
        #expect(!acl.mayPublish(alice(), topic: "x"))
        #expect(!acl.maySubscribe(alice(), filter: "x"))
    }

    @Test(arguments: [
        ("usr alice", "a line begins with user, client-id, topic or pattern, not with `usr`"),
        ("user", "nothing follows `user`"),
        ("topic", "nothing follows `topic`"),
        ("topic read", "no topic filter follows `read`"),
        ("topic read a/#/b", "`a/#/b` is not a topic filter: "),
        ("topic write a+", "`a+` is not a topic filter: "),
        ("pattern read device-%c/x", "%c and %u must be a whole level, as in devices/%c/state"),
        ("topic read $share/g/a", "name the filter behind the group, not $share/…"),
    ])
    func `an error names file, line and reason`(line: String, reason: String) {
        let found = explanation { () throws(CredentialError) in
            _ = try ACLFile(parsing: "# x\n\r\n  \(line)\n", file: "acl")
        }
        #expect(found?.hasPrefix("acl:3: \(reason)") == true)
    }

    @Test func `all faults of a file are told, of a long one the first`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("user alice\ntopik a\ntopic read a/#\nuser\ntopic read b+\n", to: "acl")
        let faults = try ACLFile.faults(path: file)
        #expect(faults.count == 3)
        #expect(faults.first.map(\.line) == [2, 4, 5])
        let many = try ACLFile.faults(path: folder.write(String(repeating: "x\n", count: 1_000), to: "many"))
        #expect(many.count == 1_000)
        #expect(many.first.count == CredentialFaults.bound)
    }

    @Test func `a reload changes rights and revision, a bad file changes neither`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("topic write a\n", to: "acl")
        let acl = try ACLAuthorizer(path: path)
        let first = acl.revision.value
        _ = try folder.write("topic write b\n", to: "acl")
        #expect(acl.mayPublish(anonymous(), topic: "a"))
        #expect(try acl.reload())
        #expect(!acl.mayPublish(anonymous(), topic: "a"))
        #expect(acl.mayPublish(anonymous(), topic: "b"))
        #expect(acl.revision.value > first)
        _ = try folder.write("# the same rights\ntopic write b\n", to: "acl")
        #expect(try !acl.reload())
        let second = acl.revision.value
        _ = try folder.write("topc write c\n", to: "acl")
        #expect(throws: CredentialError.self) { try acl.reload() }
        #expect(acl.mayPublish(anonymous(), topic: "b"))
        #expect(acl.revision.value == second)
    }
}

@Suite("Intersection of topic filters")
struct TopicFilterIntersectionTests {
    @Test(arguments: [
        ("a", "a", true), ("a", "b", false), ("a/b", "a/+", true), ("a/#", "a", true), ("a/#", "a/b/c", true),
        ("a/#", "b/#", false), ("+/b", "a/+", true), ("+/b", "a/c", false), ("a/+/c", "a/#", true), ("#", "a/b", true),
        ("#", "+", true), ("#", "$SYS/a", false), ("+/a", "$SYS/a", false), ("$SYS/#", "$SYS/+", true),
        ("a", "a/b", false),
        ("a/+", "a", false), ("a/+/#", "a/b", true), ("a/+/#", "a", false), ("a/", "a/+", true), ("/", "+/+", true),
        ("+/#", "#", true), ("a/b/#", "a/+/c", true), ("", "a", false),
    ])
    func `two filters meet when a topic matches both`(left: String, right: String, meets: Bool) throws {
        guard !left.isEmpty else { return }
        let (left, right) = (try TopicFilter(left), try TopicFilter(right))
        #expect(left.intersects(right) == meets)
        #expect(right.intersects(left) == meets)
    }

    @Test func `the answer agrees with trying all short topics`() throws {
        let levels = ["a", "b", "", "$a"]
        let topics =
            levels + levels.flatMap { one in levels.map { "\(one)/\($0)" } }
            + levels.flatMap { one in levels.flatMap { two in levels.map { "\(one)/\(two)/\($0)" } } }
        let parts = ["a", "b", "+", "$a"]
        var texts = parts + ["#"]
        texts += parts.flatMap { one in (parts + ["#"]).map { "\(one)/\($0)" } }
        let filters = try texts.map { try TopicFilter($0) }
        for left in filters {
            for right in filters {
                let found = topics.contains { !$0.isEmpty && left.matches(topic: $0) && right.matches(topic: $0) }
                #expect(left.intersects(right) == found, "\(left.text) and \(right.text)")
            }
        }
    }

    @Test(arguments: ["topic denny secret/#", "topic readwrit shop/#", "pattern wirte a"])
    func `a misspelt right is no right to a topic of that name`(line: String) {
        #expect(throws: CredentialError.self) { try rights("user alice\n\(line)") }
    }
}
