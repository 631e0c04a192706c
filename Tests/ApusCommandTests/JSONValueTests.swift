import Testing

@testable import apus

@Suite("JSON values")
struct JSONValueTests {
    @Test(arguments: [
        "null", "true", "false", "0", "-1.5e+3", "123456789012345678901234567890", #""""#, #""a\"b\\c\n""#, "[]", "{}",
        #"[1,[2,{"a":null}]]"#, #"{"b":1,"a":2,"b":3}"#, #""äöü€😀""#,
    ])
    func `what is read is written again`(text: String) throws {
        #expect(try JSONReader.read(Array(text.utf8)).text == text)
    }

    @Test(arguments: [
        (#""\u0041\u00e4\u20AC""#, "Aä€"), (#""\ud83d\ude00""#, "😀"), (#""\/\b\f\t""#, "/\u{8}\u{C}\t"),
    ])
    func `escapes mean their characters`(text: String, meaning: String) throws {
        #expect(try JSONReader.read(Array(text.utf8)) == .string(meaning))
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1,}", "{a:1}", "\"", "\"\\", "\"\\x\"",
        "tru",
        "nulll", "1 2", "+1", ".5", "1e", "--1", "\"\u{1}\"", #""\ud83d""#, #""\ud83dx""#, #""\ude00""#,
        #""\ud83d\u0041""#,
        #""\u12"#, #""\u+123""#,
    ])
    func `what is no JSON is refused`(text: String) {
        #expect(throws: JSONError.self) { try JSONReader.read(Array(text.utf8)) }
    }

    @Test func `bytes that are no UTF-8 are refused`() {
        #expect(throws: JSONError.self) { try JSONReader.read([0x22, 0xFF, 0x22]) }
    }

    @Test func `a text nested too deeply is refused`() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: JSONError.self) { try JSONReader.read(Array(deep.utf8)) }
    }

    @Test func `members that are not there are left out`() {
        #expect(JSONValue.object(["a": .number(1), "b": nil]).text == #"{"a":1}"#)
    }

    @Test func `indented text keeps the order`() throws {
        let value = try JSONReader.read(Array(#"{"b":[1,{}],"a":[]}"#.utf8))
        #expect(value.indented == "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": []\n}")
    }
}
