import ApusMessage
import Foundation
import MQTTCodec
import Testing

@testable import ApusResources

/// The example of the resources file, as JSON.
let exampleDocument = """
    {"accounts": [{"name": "shop", "keys": [
       {"id": "LTAIexampleAK", "secret": "exampleSecret123", "rights": "administrator"}]}],
     "instances": [{"id": "post-cn-apus00001", "account": "shop", "profile": "apsaramq",
       "topics": ["orders", "chat"], "groups": ["GID_apus"],
       "policies": {"duplicateClientId": "refuse", "onDenied": "close"},
       "limits": {"connections": 100000, "publishPerSecond": 50000}}]}
    """

func document(_ json: String) throws -> ResourceDocument {
    try JSONDecoder().decode(ResourceDocument.self, from: Data(json.utf8))
}

/// What cannot be read of a document.
private func unread(_ json: String) throws -> [DocumentError.Problem] {
    do {
        return try document(json).problems
    } catch let error as DocumentError {
        return error.problems
    }
}

@Suite("The resources file")
struct ResourceDocumentTests {
    @Test func `the example is read`() throws {
        let document = try document(exampleDocument)
        #expect(document.accounts.map(\.name) == ["shop"])
        let key = try #require(document.accounts.first?.keys.first)
        #expect(key.id == "LTAIexampleAK")
        #expect(key.secret == "exampleSecret123")
        #expect(key.rights == "administrator")
        #expect(key.enabled == nil)
        let instance = try #require(document.instances.first)
        #expect(instance.topics == ["orders", "chat"])
        #expect(instance.groups == ["GID_apus"])
        #expect(instance.limits == ["connections": 100_000, "publishPerSecond": 50_000])
        let policies = try instance.policies.overrides(at: "")
        #expect(policies.duplicateClientID == .refuse)
        #expect(policies.onDenied == .close)
        #expect(policies.maximumQoS == nil)
    }

    @Test(arguments: ["{}", #"{"accounts": []}"#, #"{"instances": [], "accounts": null}"#])
    func `what is left out is empty`(json: String) throws {
        let document = try document(json)
        #expect(document.accounts.isEmpty)
        #expect(document.instances.isEmpty)
    }

    @Test func `what is left out of keys and instances has its default`() throws {
        let document = try document(
            #"{"accounts": [{"name": "a", "keys": [{"id": "k", "secret": "s"}]}], "instances": [{"id": "i", "account": "a"}]}"#
        )
        #expect(document.accounts[0].keys[0].rights == "data")
        #expect(document.accounts[0].keys[0].enabled == nil)
        #expect(document.instances[0].profile == "apsaramq")
        #expect(document.instances[0].policies == ResourceDocument.PolicyFields())
        #expect(document.instances[0].limits.isEmpty)
    }

    /// Documents, the place of what is wrong, and what the message says.
    static let wrong: [(String, String, String)] = [
        (#"{"acounts": []}"#, "acounts", "there are accounts, instances"),
        (#"{"zzz": 1, "aaa": 2}"#, "aaa", "unknown key `aaa`"),
        (#"{"accounts": [{"name": "a"}, {"name": "b", "kezs": []}]}"#, "accounts[1].kezs", "there are name, keys"),
        (
            #"{"accounts": [{"name": "a", "keys": [{"id": "k", "secret": "s", "right": "x"}]}]}"#,
            "accounts[0].keys[0].right", "unknown key `right`"
        ),
        (#"{"accounts": [{"name": "a", "keys": [{"id": "k"}]}]}"#, "accounts[0].keys[0].secret", "missing"),
        (#"{"accounts": [{}]}"#, "accounts[0].name", "missing"),
        (#"{"accounts": {}}"#, "accounts", "not of the right type"),
        (#"{"accounts": [7]}"#, "accounts[0]", "an object is expected"),
        (#"{"accounts": [{"name": 7}]}"#, "accounts[0].name", "text is expected"),
        (
            #"{"accounts": [{"name": "a", "keys": [{"id": "k", "secret": "s", "enabled": "yes"}]}]}"#,
            "accounts[0].keys[0].enabled", "true or false is expected"
        ),
        (#"{"instances": [{"id": "i", "account": "a", "topic": []}]}"#, "instances[0].topic", "topics"),
        (#"{"instances": [{"id": "i", "account": "a", "topics": "orders"}]}"#, "instances[0].topics", "list"),
        (#"{"instances": [{"id": "i", "account": "a", "topics": ["orders", 7]}]}"#, "instances[0].topics[1]", "text"),
        (#"{"instances": [{"id": "i", "account": "a", "topics": [null]}]}"#, "instances[0].topics[0]", "text"),
        (
            #"{"instances": [{"id": "i", "account": "a", "limits": {"connections": "many"}}]}"#,
            "instances[0].limits.connections", "a whole number is expected"
        ),
        (
            #"{"instances": [{"id": "i", "account": "a", "limits": {"connections": 1.5}}]}"#,
            "instances[0].limits.connections", "not of the right type"
        ),
        (
            #"{"instances": [{"id": "i", "account": "a", "limits": {"connections": 1e99}}]}"#,
            "instances[0].limits.connections", "not of the right type"
        ),
        (
            #"{"instances": [{"id": "i", "account": "a", "policies": {"onDeny": "close"}}]}"#,
            "instances[0].policies.onDeny", "onDenied"
        ),
        (
            #"{"instances": [{"id": "i", "account": "a", "policies": {"p2p": "on"}}]}"#,
            "instances[0].policies.p2p", "true or false is expected"
        ),
        (
            #"{"instances": [{"id": "i", "account": "a", "policies": {"onDenied": true}}]}"#,
            "instances[0].policies.onDenied", "one of the words refuse, close"
        ),
        (#"{"instances": [{"id": "i", "account": "a", "policies": []}]}"#, "instances[0].policies", "an object"),
        ("[]", "", "an object is expected, with accounts, instances"),
        ("7", "", "an object is expected"),
    ]

    @Test(arguments: wrong)
    func `what is not understood is refused with its place`(json: String, place: String, says: String) throws {
        let problem = try #require(try unread(json).first)
        #expect(problem.place == place)
        #expect(problem.error.kind == .invalid(field: place))
        #expect(problem.error.message.contains(says), "\(problem.error.message)")
    }

    @Test func `all that is not understood is told, and what is understood is read`() throws {
        let document = try document(
            #"{"extra": 1, "accounts": [7, {"name": "a", "keys": [{"id": "k", "secret": 8}, 9]}],"#
                + #" "instances": [{"id": "i", "topics": ["x", 7, "y"], "limits": {"connections": "1", "groups": 5}}]}"#
        )
        #expect(
            document.problems.map(\.place) == [
                "extra", "accounts[0]", "accounts[1].keys[0].secret", "accounts[1].keys[1]", "instances[0].account",
                "instances[0].topics[1]", "instances[0].limits.connections",
            ]
        )
        #expect(document.accounts.map(\.name) == ["", "a"], "those behind what cannot be read keep their places")
        #expect(document.instances[0].topics == ["x", "", "y"])
        #expect(document.instances[0].limits == ["groups": 5])
    }

    @Test func `a document of mistakes alone is not read to its end`() throws {
        let numbers = "[" + String(repeating: "7,null,", count: 100_000) + "7]"
        for json in [
            #"{"accounts": \#(numbers)}"#, #"{"instances": [{"id": "i", "account": "a", "topics": \#(numbers)}]}"#,
        ] {
            let document = try document(json)
            #expect(document.problems.count == 20)
            #expect(document.accounts.count + (document.instances.first?.topics.count ?? 0) == 20)
        }
    }

    @Test(arguments: [
        #"{"accounts": [{"name": "a", "keys": [{"id": "k", "secret:exampleSecret123": null}]}]}"#,
        #"{"accounts": [{"name": "a", "keys": [{"id": "k", "secret": ["exampleSecret123"]}]}]}"#,
        #"{"accounts": [{"name": "a", "keys": "exampleSecret123"}]}"#, #""exampleSecret123""#,
        #"{"accounts": [{"name": "a", "keys": [{"id": "k", "secret": "exampleSecret123", "enabled": "no"}]}]}"#,
    ])
    func `a secret at the wrong place is not told`(json: String) throws {
        let problems = try unread(json)
        #expect(!problems.isEmpty)
        #expect(!"\(problems)".contains("exampleSecret123"))
    }

    @Test func `a key of a megabyte does not fill the message`() throws {
        let flood = String(repeating: "x", count: 1 << 20)
        let error = try #require(try unread(#"{"\#(flood)": 1}"#).first?.error)
        #expect(error.message.utf8.count < 1_000)
        #expect(error.code.utf8.count < 1_000)
    }

    @Test(arguments: [
        (#"{"duplicateClientId": "both"}"#, "x.duplicateClientId", "takeover, refuse"),
        (#"{"onDenied": ""}"#, "x.onDenied", "refuse, close"), (#"{"maximumQoS": 3}"#, "x.maximumQoS", "0, 1 or 2"),
        (#"{"maximumQoS": -1}"#, "x.maximumQoS", "0, 1 or 2"), (#"{"maximumQoS": 258}"#, "x.maximumQoS", "0, 1 or 2"),
    ])
    func `a policy has one of its words`(json: String, field: String, says: String) throws {
        let fields = try JSONDecoder().decode(ResourceDocument.PolicyFields.self, from: Data(json.utf8))
        let error = try #require(throws: ResourceError.self) { try fields.overrides(at: "x") }
        #expect(error.kind == .invalid(field: field))
        #expect(error.message.contains(says))
    }

    @Test func `what was exported is read back equal`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(
            .putAccessKey(ResourceFixture.key("LTAIold", .data, isEnabled: false)),
            fixture.topic("orders", remark: "of customers"),
            fixture.group("GID_apus"),
        )
        var instance = try #require(fixture.directory.instance(fixture.plain))
        instance.name = "named"
        instance.state = .stopped
        instance.policies = .everything
        instance.limits = LimitOverrides(Dictionary(uniqueKeysWithValues: InstanceLimits.Name.allCases.map { ($0, 7) }))
        try fixture.change(.putInstance(instance))
        let exported = ResourceDocument(fixture.directory)
        let read = try JSONDecoder().decode(ResourceDocument.self, from: try JSONEncoder().encode(exported))
        #expect(read == exported)
        let plan = try ResourcePlan.make(read, fixture.directory, now: 5)
        #expect(plan.isEmpty, "\(plan.lines)")
    }
}

extension PolicyOverrides {
    /// All of them set.
    static var everything: PolicyOverrides {
        var policies = PolicyOverrides()
        policies.duplicateClientID = .refuse
        policies.onDenied = .close
        policies.maximumQoS = .atLeastOnce
        policies.requiresGroup = true
        policies.requiresParentTopic = false
        policies.persistentQoS2 = true
        policies.p2p = false
        policies.anonymousOnLoopback = true
        policies.trace = false
        return policies
    }
}
