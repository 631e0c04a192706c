import Testing

@testable import apus

@Suite("Resources files")
struct ResourceFileTests {
    private func file(_ text: String) throws -> ResourceFile { try ResourceFile(text: text, path: "r.yaml") }

    @Test func `YAML becomes the JSON of the API`() throws {
        let text = """
            accounts:
              - name: shop
                keys: [{id: LTAI1, secret: "007", rights: data}]
            instances:
              - id: post-cn-1
                topics: [orders, 42x]
                policies: {p2p: true, onDenied: close}
                limits: {connections: 100_000}
                note: null
            """
        let json = """
            {"accounts":[{"name":"shop","keys":[{"id":"LTAI1","secret":"007","rights":"data"}]}],\
            "instances":[{"id":"post-cn-1","topics":["orders","42x"],"policies":{"p2p":true,"onDenied":"close"},\
            "limits":{"connections":100000},"note":null}]}
            """
        #expect(try file(text).document.text == json)
    }

    @Test(arguments: [
        ("a: 1\nkeys:\n  - {secret: exampleSecret123}\na: 2", "r.yaml:1: the mapping that begins here has a twice"),
        ("keys: [{secret: \"exampleSecret123, x: 1}]\n", "r.yaml:"),
        ("keys: [{secret: exampleSecret123}\nb: 1", "r.yaml:"),
        ("keys: *exampleSecret\nsecret: exampleSecret123", "r.yaml:"),
        ("secret: exampleSecret123\n\tx: 1", "r.yaml:"),
    ])
    func `a mistake in the YAML is told with its place and without the file's secrets`(yaml: String, start: String) {
        let error = #expect(throws: CommandFailure.self) { try file(yaml) }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains(start))
        #expect(!text.contains("exampleSecret123"))
    }

    @Test(arguments: [
        (nil, "r.yaml"), ("instances[0].topics[1]", "r.yaml:4"), ("instances[0].id", "r.yaml:2"),
        ("instances[0].topics[9]", "r.yaml:3"), ("instances[0].limits.connections", "r.yaml:2"), ("nowhere", "r.yaml"),
    ])
    func `an error of the API has its line`(field: String?, place: String) throws {
        let resources = try file("instances:\n  - id: a\n    topics: [x,\n      y]\n")
        #expect(resources.place(of: field) == place)
    }

    @Test func `all that is wrong is told from the top of the file to its end`() throws {
        let resources = try file("accounts:\n  - name: a\ninstances:\n  - id: a\n    topics: [x,\n      y]\n")
        let problems = [
            ResourceFile.Problem(field: "instances[0].topics[1]", message: "four"),
            ResourceFile.Problem(field: "instances[0].account", message: "two"),
            ResourceFile.Problem(field: "instances[0].topics", message: "three"),
            ResourceFile.Problem(field: "accounts[0].name", message: "one"),
        ]
        #expect(
            resources.report(problems) == [
                "r.yaml:2: accounts[0].name: one", "r.yaml:4: instances[0].account: two",
                "r.yaml:5: instances[0].topics: three", "r.yaml:6: instances[0].topics[1]: four",
                "4 problems; nothing was changed",
            ]
        )
        let most = Array(repeating: problems[0], count: 20)
        #expect(resources.report(most).last == "20 problems; there may be more; nothing was changed")
    }

    @Test(arguments: ["- a\n- b", "secretWord", "7"])
    func `a file that is no mapping is told what it must be`(text: String) {
        let error = #expect(throws: CommandFailure.self) { try file(text) }
        #expect(error?.description == "r.yaml:1: the file must be a mapping with accounts and instances")
    }

    @Test(arguments: ["", "a: [", "a: 1\na: 2", "? [x]\n: y"])
    func `what cannot be read is refused`(text: String) {
        #expect(throws: CommandFailure.self) { try file(text) }
    }

    @Test func `aliases that multiply are refused`() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(throws: CommandFailure.self) { try file(text) }
    }

    @Test(arguments: [
        #"{"accounts":[{"name":"shop","keys":[{"id":"LTAI","secret":"a: #b","rights":"data"}]}],"instances":[]}"#,
        #"{"a":"true","b":"007","c":"","d":" x","e":"-","f":"null","g":"1.5","h":"ä","i":"x\ny"}"#,
        #"{"a":[[1,2],[{"a":[]},{}],null,true]}"#, #"{"a":{"b":{"c":[1,{"d":"e","f":[2]}]}}}"#,
    ])
    func `what is exported is read again`(json: String) throws {
        let value = try JSONReader.read(Array(json.utf8))
        #expect(try file(YAMLText.write(value)).document == value)
    }

    @Test func `exported text is pleasant to read`() throws {
        let json = #"{"instances":[{"id":"post-cn-1","topics":["orders"],"limits":{"connections":5},"groups":[]}]}"#
        let text = """
            instances:
              - id: post-cn-1
                topics:
                  - orders
                limits:
                  connections: 5
                groups: []

            """
        #expect(YAMLText.write(try JSONReader.read(Array(json.utf8))) == text)
    }
}
