import Testing

@testable import ApusManagement

@Suite("Texts: times, percent-encoding, forms, JSON")
struct TextTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-22T15:43:16Z", 1_795_362_196_000),
            ("2024-02-29T23:59:59Z", 1_709_251_199_000), ("1969-12-31T23:59:59Z", -1_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000), ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ] as [(String, Int64)]
    )
    func `times are read and written`(text: String, milliseconds: Int64) {
        #expect(UTCTime.milliseconds(text) == milliseconds)
        #expect(UTCTime.text(milliseconds) == text)
    }

    @Test(arguments: [
        "", "2026-11-22 15:43:16Z", "2026-11-22T15:43:16", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:0aZ", "+026-01-01T00:00:00Z",
    ])
    func `what is no time is none`(text: String) {
        #expect(UTCTime.milliseconds(text) == nil)
    }

    @Test(
        arguments: [
            (0, "1970-01-01 08:00:00.000"), (57_599_999, "1970-01-01 23:59:59.999"),
            (57_600_000, "1970-01-02 00:00:00.000"), (-1, "1970-01-01 07:59:59.999"),
        ] as [(Int64, String)]
    )
    func `traces have the time of UTC+8`(milliseconds: Int64, text: String) {
        #expect(UTCTime.traceText(milliseconds) == text)
    }

    @Test func `percent-encoding is that of RFC 3986`() {
        #expect(PercentEncoding.encode("aZ09-_.~ +*/ä") == "aZ09-_.~%20%2B%2A%2F%C3%A4")
        #expect(PercentEncoding.decode("a+b%20c%2B", plusIsSpace: true) == "a b c+")
        #expect(PercentEncoding.decode("a+b", plusIsSpace: false) == "a+b")
        for text in ["%", "%1", "%gg", "%C3", "a%"] {
            #expect(PercentEncoding.decode(text, plusIsSpace: true) == nil, "\(text)")
        }
    }

    @Test func `a form has each name once`() throws {
        var form = FormParameters()
        try form.add("b=2&a=1&&c=&d")
        #expect(form.sorted.map(\.name) == ["a", "b", "c", "d"])
        #expect(form["c"] == "" && form["d"] == "" && form["e"] == nil)
        #expect(throws: FormError.duplicate("a")) { try form.add("a=1") }
        #expect(throws: FormError.malformed("x")) { try form.add("x=%") }
        let many = (0...FormParameters.mostPairs).map { "x\($0)=" }.joined(separator: "&")
        #expect(throws: FormError.tooMany) { try form.add(many) }
    }

    @Test(arguments: [
        "null", "true", "[]", "{}", "-1", "0.5", "\"a\\n\\\"\\\\\\u0007\"", "[1,[2,{\"a\":[]}]]", "\"ä😀\"",
        "9223372036854775807",
    ])
    func `JSON is read and written the same`(text: String) throws {
        let value = try JSONReader.read(Array(text.utf8))
        #expect(try JSONReader.read(Array(value.text.utf8)) == value)
        #expect(value.text == text)
    }

    @Test(arguments: [
        "", " ", "nul", "01", "1.", "1e", "-", "+1", "[1,]", "[1", "{\"a\"}", "{\"a\":1,}", "{a:1}", "\"", "\"\\x\"",
        "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "1 2", "\"\u{1}\"", "{\"a\":1,\"a\":2}", "1e999",
    ])
    func `what is no JSON is none`(text: String) {
        #expect(throws: JSONError.self) { try JSONReader.read(Array(text.utf8)) }
    }

    @Test func `JSON that is nested too deeply, or no UTF-8, is refused`() {
        let deep = Array(repeating: UInt8(ascii: "["), count: 100_000)
        #expect(throws: JSONError.self) { try JSONReader.read(deep) }
        #expect(throws: JSONError.self) { try JSONReader.read([0x22, 0xFF, 0x22]) }
    }

    @Test func `escapes of JSON become their characters`() throws {
        #expect(try JSONReader.read(Array(#""\u00e4\ud83d\ude00\/\b\f\r\t""#.utf8)) == "ä😀/\u{8}\u{C}\r\t")
    }
}
