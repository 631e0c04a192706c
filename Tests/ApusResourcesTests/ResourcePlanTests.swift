import ApusMessage
import Foundation
import Testing

@testable import ApusResources

@Suite("Bringing the catalog to a resources file")
struct ResourcePlanTests {
    private static let now: Int64 = 1_763_826_000_000
    private let manager: ResourceManager

    init() throws { manager = try ResourceManager(catalog: MemoryCatalog()) { Self.now } }

    private var directory: ResourceDirectory { manager.directory }

    private func plan(_ json: String) throws -> ResourcePlan {
        try ResourcePlan.make(try document(json), directory, now: Self.now)
    }

    /// - Returns: the lines of the plan.
    @discardableResult
    private func apply(_ json: String) throws -> [String] {
        let plan = try ResourcePlan.apply(try document(json), to: manager, by: .local)
        let rest = try self.plan(json)
        #expect(rest.isEmpty && rest.lines.isEmpty, "a second time nothing is to do: \(rest.lines)")
        return plan.lines
    }

    private func problems(_ json: String) throws -> [DocumentError.Problem] {
        let before = ResourceDocument(directory)
        let document = try document(json)
        let error = try #require(throws: DocumentError.self) { try plan(json) }
        #expect(throws: error) { try ResourcePlan.apply(document, to: manager, by: .local) }
        #expect(ResourceDocument(directory) == before)
        return error.problems
    }

    /// The only thing that is wrong.
    private func refusal(_ json: String) throws -> ResourceError {
        let problems = try problems(json)
        #expect(problems.count == 1, "\(problems)")
        return problems[0].error
    }

    /// A document with the example's account and one instance of the given members.
    private func instance(_ members: String, id: String = "post-cn-apus00001") -> String {
        """
        {"accounts": [{"name": "shop", "keys": [
           {"id": "LTAIexampleAK", "secret": "exampleSecret123", "rights": "administrator"}]}],
         "instances": [{"id": "\(id)", "account": "shop" \(members.isEmpty ? "" : ", \(members)")}]}
        """
    }

    private func keys(_ keys: String) -> String { #"{"accounts": [{"name": "shop", "keys": [\#(keys)]}]}"# }

    private static let key = #"{"id": "LTAIexampleAK", "secret": "exampleSecret123", "rights": "administrator"}"#

    // MARK: - What the file does not name

    @Test func `a key that was disabled and an instance that was stopped stay so, until the file says otherwise`()
        throws
    {
        let leaked = #"{"id": "LTAIleaked", "secret": "leakedSecret1", "rights": "data"}"#
        let tenant = #""instances": [{"id": "post-cn-1", "account": "shop"}]"#
        let file = #"{"accounts": [{"name": "shop", "keys": [\#(Self.key), \#(leaked)]}], \#(tenant)}"#
        try apply(file)
        let enabled = try #require(directory.accessKey(id: "LTAIleaked"))
        #expect(enabled.isEnabled)
        let off = file.replacing("leakedSecret1\"", with: "leakedSecret1\", \"enabled\": false")
            .replacing(#""account": "shop"}"#, with: #""account": "shop", "state": "stopped"}"#)
        try apply(off)
        #expect(directory.accessKey(id: "LTAIleaked")?.isEnabled == false)
        #expect(directory.instance(id: "post-cn-1")?.state == .stopped)
        #expect(try apply(file).isEmpty)
        #expect(directory.accessKey(id: "LTAIleaked")?.isEnabled == false)
        #expect(directory.instance(id: "post-cn-1")?.state == .stopped)
        let on = off.replacing("\"enabled\": false", with: "\"enabled\": true").replacing("stopped", with: "running")
        #expect(try apply(on).count == 2)
        #expect(directory.accessKey(id: "LTAIleaked")?.isEnabled == true)
        #expect(directory.instance(id: "post-cn-1")?.state == .running)
    }

    // MARK: - From nothing

    @Test func `the example makes what it names`() throws {
        let lines = try apply(exampleDocument)
        #expect(
            lines == [
                "+ account shop", "+ access key LTAIexampleAK of shop, administrator",
                "+ instance post-cn-apus00001, profile apsaramq, of shop", "+ topic orders of post-cn-apus00001",
                "+ topic chat of post-cn-apus00001", "+ group GID_apus of post-cn-apus00001",
            ]
        )
        #expect(!lines.joined().contains("exampleSecret123"))
        let instance = try #require(directory.instance(id: "post-cn-apus00001"))
        #expect(!instance.number.isNew)
        #expect(directory.hasTopic(instance.number, "orders") && directory.hasTopic(instance.number, "chat"))
        #expect(directory.hasGroup(instance.number, "GID_apus"))
        #expect(instance.effectiveLimits.publishPerSecond == 50_000)
        let entries = try manager.audit(before: nil, limit: 10, instance: nil)
        #expect(entries.map(\.action) == ["apply"], "one transaction")
        #expect(!(entries.first?.detail.contains("exampleSecret123") ?? true))
    }

    @Test func `two instances have what is theirs`() throws {
        try apply(
            """
            {"accounts": [{"name": "shop", "keys": [\(Self.key)]}], "instances": [
              {"id": "first", "account": "shop", "topics": ["orders", "same"], "groups": ["GID_one"]},
              {"id": "second", "account": "shop", "profile": "standard", "topics": ["same", "chat"]}]}
            """
        )
        let first = try #require(directory.instance(id: "first")).number
        let second = try #require(directory.instance(id: "second")).number
        #expect(first < second, "the first of the file is the first")
        #expect(directory.topics(of: first).map(\.name) == ["orders", "same"])
        #expect(directory.topics(of: second).map(\.name) == ["chat", "same"])
        #expect(directory.groups(of: second).isEmpty)
    }

    @Test func `of two documents at once the catalog has one whole`() async throws {
        let documents = try ["orders", "chat"].map { topic in
            try document(instance(#""topics": ["\#(topic)"], "limits": {"parentTopics": 1}, "name": "of-\#(topic)""#))
        }
        try ResourcePlan.apply(documents[0], to: manager, by: .local)
        let number = try #require(directory.instance(id: "post-cn-apus00001")).number
        for _ in 0..<50 {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for document in documents + documents {
                    tasks.addTask { [manager] in try ResourcePlan.apply(document, to: manager, by: .local) }
                }
                try await tasks.waitForAll()
            }
            let topics = directory.topics(of: number).map(\.name)
            #expect(topics.count == 1)
            #expect(directory.instance(number)?.name == "of-\(topics.first ?? "")")
        }
    }

    @Test func `a document that changes nothing is not in the audit log`() throws {
        try apply(exampleDocument)
        try ResourcePlan.apply(try document(exampleDocument), to: manager, by: .local)
        #expect(try manager.audit(before: nil, limit: 10, instance: nil).count == 1)
    }

    // MARK: - Changes

    @Test func `topics and groups that are not listed go`() throws {
        try apply(instance(#""topics": ["orders", "chat"], "groups": ["GID_one", "GID_two"]"#))
        let lines = try apply(instance(#""topics": ["chat", "news"], "groups": ["GID_two"]"#))
        #expect(
            lines == [
                "- topic orders of post-cn-apus00001", "- group GID_one of post-cn-apus00001",
                "+ topic news of post-cn-apus00001",
            ]
        )
        let number = try #require(directory.instance(id: "post-cn-apus00001")).number
        #expect(directory.topics(of: number).map(\.name) == ["chat", "news"])
        #expect(try manager.audit(before: nil, limit: 1, instance: "post-cn-apus00001").first?.action == "apply")
    }

    @Test func `policies and limits become those of the file`() throws {
        try apply(instance(#""policies": {"onDenied": "refuse"}, "limits": {"connections": 5}"#))
        let lines = try apply(instance(#""policies": {"p2p": false}, "limits": {"groups": 9}, "name": "shop-1""#))
        #expect(
            lines == [
                "~ instance post-cn-apus00001: name shop-1, policies.onDenied refuse → close, policies.p2p true → false, "
                    + "limits.connections 5 → 100000, limits.groups 1000 → 9"
            ]
        )
        let other = try #require(directory.instance(id: "post-cn-apus00001"))
        #expect(other.effectivePolicies.onDenied == .close)
        #expect(other.effectiveLimits.connections == 100_000)
        #expect(try apply(instance(#""name": "shop-1", "state": "stopped", "profile": "standard""#)).count == 1)
        #expect(directory.instance(id: "post-cn-apus00001")?.state == .stopped)
    }

    @Test func `the creation time of what is there stays`() throws {
        try apply(instance(#""topics": ["orders"]"#))
        let later = try ResourcePlan.make(
            try document(instance(#""topics": ["orders"]"#)),
            directory,
            now: 2 * Self.now
        )
        #expect(later.isEmpty)
    }

    @Test func `accounts and instances that the file does not name stay`() throws {
        try apply(exampleDocument)
        #expect(try apply("{}") == [])
        #expect(try apply(keys(Self.key)) == [])
        #expect(directory.instance(id: "post-cn-apus00001") != nil)
    }

    @Test func `names that are one to Unicode are two, and the unfit one is refused`() throws {
        try apply(instance(#""topics": ["Kafka"]"#))
        let error = try refusal(instance(#""topics": ["\u212Aafka"]"#))
        #expect(error.kind == .invalid(field: "instances[0].topics[0]"))
    }

    // MARK: - Keys

    @Test func `keys that are not listed go, changed ones change`() throws {
        try apply(keys(#"\#(Self.key), {"id": "LTAIa", "secret": "aSecret1"}, {"id": "LTAIb", "secret": "bSecret1"}"#))
        let lines = try apply(
            keys(#"\#(Self.key), {"id": "LTAIb", "secret": "bSecret2", "rights": "manager", "enabled": false}"#)
        )
        #expect(
            lines == [
                "~ access key LTAIb of shop: secret, rights data → manager, disabled", "- access key LTAIa of shop",
            ]
        )
        #expect(directory.accessKey(id: "LTAIa") == nil)
        #expect(directory.accessKey(id: "LTAIb")?.secret == "bSecret2")
    }

    @Test(arguments: [
        #"{"accounts": [{"name": "shop"}]}"#,
        #"{"accounts": [{"name": "shop", "keys": [{"id": "LTAIexampleAK", "secret": "exampleSecret123"}]}]}"#,
        #"{"accounts": [{"name": "shop", "keys": [{"id": "LTAIother", "secret": "exampleSecret123"}]}]}"#,
    ])
    func `a file that takes the last administrator away is refused`(json: String) throws {
        try apply(keys(Self.key))
        let error = try problems(json)[0].error
        #expect(error.kind == .inUse)
        #expect(error.message.contains("last administrator"))
    }

    /// Whatever the order in the file.
    @Test(arguments: [
        #"{"accounts": [{"name": "shop", "keys": [{"id": "LTAIexampleAK", "secret": "exampleSecret123"}, NEW]}]}"#,
        #"{"accounts": [{"name": "shop", "keys": [NEW]}]}"#,
        #"{"accounts": [{"name": "shop"}, {"name": "other", "keys": [NEW]}]}"#,
    ])
    func `one administrator may take the place of another`(json: String) throws {
        try apply(keys(Self.key))
        try apply(json.replacing("NEW", with: #"{"id": "LTAInew", "secret": "newSecret1", "rights": "administrator"}"#))
        #expect(directory.accessKey(id: "LTAInew")?.rights == .administrator)
        #expect(directory.accessKey(id: "LTAIexampleAK")?.rights != .administrator)
    }

    // MARK: - Refusals

    @Test func `26 parent topics are refused whole, naming the limit`() throws {
        let topics = (1...26).map { "\"topic\($0)\"" }.joined(separator: ", ")
        let error = try refusal(instance(#""groups": ["GID_apus"], "topics": [\#(topics)]"#))
        #expect(error.kind == .overLimit(.parentTopics))
        #expect(error.message.contains("parentTopics") && error.message.contains("25"))
        #expect(error.message.contains("post-cn-apus00001"))
        #expect(directory.accounts.isEmpty && directory.instances.isEmpty)
        try apply(instance(#""limits": {"parentTopics": 26}, "topics": [\#(topics)]"#))
    }

    @Test func `25 parent topics may take the place of 25 others`() throws {
        for letter in ["a", "b"] {
            let topics = (1...25).map { "\"topic-\(letter)\($0)\"" }.joined(separator: ", ")
            try apply(instance(#""topics": [\#(topics)]"#))
        }
    }

    @Test func `a limit below what the file lists is refused, below what there was is not`() throws {
        try apply(instance(#""topics": ["one1", "two2", "three3"]"#))
        let few = #""limits": {"parentTopics": 2}, "topics": "#
        #expect(try refusal(instance(few + #"["one1", "two2", "three3"]"#)).kind == .overLimit(.parentTopics))
        try apply(instance(few + #"["one1", "four4"]"#))
    }

    /// Documents, kinds of error with the place, and a part of the message.
    static let wrong: [(String, ResourceError.Kind)] = [
        (#""topics": ["orders", "a/b"]"#, .invalid(field: "instances[0].topics[1]")),
        (#""groups": ["GID_apus", "apus"]"#, .invalid(field: "instances[0].groups[1]")),
        (#""topics": ["orders", "ORDERS"]"#, .exists),
        (#""profile": "other""#, .invalid(field: "instances[0].profile")),
        (#""state": "asleep""#, .invalid(field: "instances[0].state")),
        (#""name": "a b""#, .invalid(field: "instances[0].name")),
        (#""policies": {"onDenied": "ignore"}"#, .invalid(field: "instances[0].policies.onDenied")),
        (#""limits": {"conections": 1}"#, .invalid(field: "instances[0].limits.conections")),
        (#""limits": {"keepAliveSeconds": 65536}"#, .invalid(field: "instances[0].limits.keepAliveSeconds")),
        (#""limits": {"connections": -1}"#, .invalid(field: "instances[0].limits.connections")),
    ]

    @Test(arguments: wrong)
    func `what breaks a rule is refused with its place`(members: String, kind: ResourceError.Kind) throws {
        #expect(try refusal(instance(members)).kind == kind)
    }

    @Test(arguments: [
        (#"{"accounts": [{"name": "a b"}]}"#, ResourceError.Kind.invalid(field: "accounts[0].name")),
        (#"{"accounts": [{"name": "a"}, {"name": "A"}]}"#, .invalid(field: "accounts[1].name")),
        (
            #"{"accounts": [{"name": "a", "keys": [{"id": "k", "secret": "short"}]}]}"#,
            .invalid(field: "accounts[0].keys[0].secret")
        ),
        (
            #"{"accounts": [{"name": "a", "keys": [{"id": "k", "secret": "longEnough", "rights": "root"}]}]}"#,
            .invalid(field: "accounts[0].keys[0].rights")
        ),
        (
            #"{"accounts": [{"name": "a", "keys": [{"id": "k", "secret": "longEnough"}]}, {"name": "b", "keys": [{"id": "k", "secret": "longEnough"}]}]}"#,
            .invalid(field: "accounts[1].keys[0].id")
        ),
        (#"{"instances": [{"id": "abc", "account": "nobody"}]}"#, .notFound),
        (
            #"{"accounts": [{"name": "a"}], "instances": [{"id": "abc", "account": "a"}, {"id": "ABC", "account": "a"}]}"#,
            .invalid(field: "instances[1].id")
        ),
    ])
    func `accounts, keys and instances likewise`(json: String, kind: ResourceError.Kind) throws {
        #expect(try refusal(json).kind == kind)
    }

    @Test(arguments: hostileNames)
    func `hostile names change nothing`(name: String) throws {
        let text = String(decoding: try JSONEncoder().encode(name), as: UTF8.self)
        for json in [
            instance(#""topics": [\#(text)]"#), instance(#""groups": [\#(text)]"#), instance(#""name": \#(text)"#),
            #"{"accounts": [{"name": \#(text)}]}"#,
        ] {
            let error = try refusal(json)
            #expect(error.message.utf8.count < 2_000)
            #expect(!error.message.utf8.contains(0))
        }
    }

    /// Documents, and the places of all that is wrong with them, as they are found.
    static let several: [(String, [String])] = [
        (
            #"{"instances": [{"id": "abc", "account": "labb", "topics": ["one", "a/b", "two", "one"]}]}"#,
            ["instances[0].topics[3]", "instances[0].account", "instances[0].topics[1]"]
        ),
        (
            #"{"instances": [{"id": "abc", "account": "labb"}, {"id": "def", "account": "labb"}]}"#,
            ["instances[0].account", "instances[1].account"]
        ),
        (
            #"{"instances": [{"id": "a b", "account": "labb", "groups": ["GID_one", "GID_one", "GID-one"]}]}"#,
            ["instances[0].groups[1]", "instances[0].account", "instances[0].id"]
        ),
        (
            #"{"accounts": [{"name": "a", "keys": [{"id": "k", "secret": "short"}, {"id": "l", "secret": "tiny"}]}]}"#,
            ["accounts[0].keys[0].secret", "accounts[0].keys[1].secret"]
        ),
        (
            #"{"accounts": [{"name": "a", "keys": [{"id": "k", "secret": "longEnough"}, {"id": "k", "secret": "longEnough"}]}]}"#,
            ["accounts[0].keys[1].id"]
        ),
        (
            #"{"accounts": [{"name": "a"}], "instances": [{"id": "abc", "account": "a", "topics": ["one", "ONE", "One", "one"],"#
                + #" "limits": {"connections": -1, "groups": -1}, "policies": {"onDenied": "shout"}, "state": "asleep"}]}"#,
            [
                "instances[0].policies.onDenied", "instances[0].limits.connections", "instances[0].limits.groups",
                "instances[0].state", "instances[0].topics[3]", "instances[0].topics[1]", "instances[0].topics[2]",
            ]
        ),
    ]

    @Test(arguments: several)
    func `all that is wrong is told at once`(json: String, places: [String]) throws {
        #expect(try problems(json).map(\.place) == places)
    }

    /// Documents in which one thing is wrong, and others only follow from it.
    @Test(arguments: [
        (#"{"accounts": [{"name": 7}], "instances": [{"id": "abc", "account": "a"}]}"#, "accounts[0].name"),
        (#"{"acounts": [{"name": "a"}], "instances": [{"id": "abc", "account": "a"}]}"#, "acounts"),
        (#"{"accounts": [{"name": "a"}], "instances": [{"id": "abc"}]}"#, "instances[0].account"),
        (#"{"accounts": [{"name": "a"}], "instances": [{"account": "a"}]}"#, "instances[0].id"),
        (#"{"accounts": [{"name": "a", "keys": [7, {"id": "k", "secret": "longEnough"}]}]}"#, "accounts[0].keys[0]"),
        (#"{"accounts": [7]}"#, "accounts[0]"), (#"{"instances": [[]]}"#, "instances[0]"),
        (
            #"{"accounts": [{"name": "a"}], "instances": [{"id": "abc", "account": "a", "limits": {"parentTopic": 1},"#
                + #" "topics": [\#((1...26).map { "\"topic\($0)\"" }.joined(separator: ", "))]}]}"#,
            "instances[0].limits.parentTopic"
        ),
    ])
    func `what follows from it is not told`(json: String, place: String) throws {
        #expect(try problems(json).map(\.place) == [place])
    }

    @Test func `an instance whose account is not there is named with it`() throws {
        let error = try refusal(#"{"instances": [{"id": "post-cn-1", "account": "labb"}]}"#)
        #expect(error.message.contains("`labb`") && error.message.contains("`post-cn-1`"))
    }

    @Test func `names of a list that is too long are looked at all the same`() throws {
        let topics = (1...26).map { "\"topic\($0)\"" }.joined(separator: ", ")
        let problems = try problems(instance(#""topics": [\#(topics), "a/b"]"#))
        #expect(problems.map(\.place) == ["instances[0].topics", "instances[0].topics[26]"])
        #expect(problems[0].error.kind == .overLimit(.parentTopics))
    }

    @Test func `a list that is too long is told beside another limit that is wrong`() throws {
        let topics = (1...26).map { "\"topic\($0)\"" }.joined(separator: ", ")
        let problems = try problems(instance(#""topics": [\#(topics)], "limits": {"groups": "many"}"#))
        #expect(problems.map(\.place) == ["instances[0].limits.groups", "instances[0].topics"])
    }

    @Test func `a key that cannot take the administrator's place is the only thing that is told`() throws {
        try apply(keys(Self.key))
        let new = #"{"id": "LTAInew", "secret": "short", "rights": "administrator"}"#
        #expect(try problems(keys(new)).map(\.place) == ["accounts[0].keys[0].secret"])
    }

    @Test func `20 problems are enough`() throws {
        let names = Array(repeating: #""a/b/\u0007""#, count: 5_000).joined(separator: ", ")
        #expect(try problems(instance(#""groups": [\#(names)]"#)).count == 20)
        let numbers = Array(repeating: "7", count: 5_000).joined(separator: ", ")
        #expect(try problems(instance(#""topics": [\#(numbers)], "groups": [\#(names)]"#)).count == 20)
    }
}
