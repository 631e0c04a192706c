import Testing

@testable import MQTTCodec

@Suite("UTF-8", .spec("MQTT-1.5.4-1", "MQTT-1.5.4-2"))
struct UTF8ValidationTests {
    private func fault(_ bytes: [UInt8], _ alphabet: UTF8Validation.Alphabet) -> UTF8Validation.Fault? {
        UTF8Validation.check(bytes.span, 0..<bytes.count, alphabet: alphabet)
    }

    /// What the standard library thinks, which also forbids surrogates and overlong forms.
    private func isWellFormed(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

    @Test
    func `all sequences of up to three bytes agree with the standard library`() {
        for first in UInt8.min...UInt8.max {
            #expect((fault([first], .payload) == nil) == isWellFormed([first]))
            for second in UInt8.min...UInt8.max {
                let two = [first, second]
                #expect((fault(two, .payload) == nil) == isWellFormed(two), "\(two)")
            }
        }
        for first: UInt8 in [0x00, 0x7F, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF4, 0xF5] {
            for second in UInt8(0x70)...UInt8(0xC8) {
                for third: UInt8 in [0x00, 0x7F, 0x80, 0xBF, 0xC0] {
                    let three = [first, second, third]
                    #expect((fault(three, .payload) == nil) == isWellFormed(three), "\(three)")
                    for fourth: UInt8 in [0x00, 0x7F, 0x80, 0xBF, 0xC0] {
                        let four = three + [fourth]
                        #expect((fault(four, .payload) == nil) == isWellFormed(four), "\(four)")
                    }
                }
            }
        }
    }

    @Test(arguments: 0..<40)
    func `a fault is found at every place of a text of any length`(length: Int) {
        let plain = [UInt8](repeating: UInt8(ascii: "a"), count: length)
        #expect(fault(plain, .topicName) == nil)
        for index in 0..<length {
            func with(_ byte: UInt8) -> [UInt8] {
                var text = plain
                text[index] = byte
                return text
            }
            #expect(fault(with(0x80), .topicName) == .notUTF8)
            #expect(fault(with(0xFF), .payload) == .notUTF8)
            #expect(fault(with(0x00), .topicName) == .null)
            #expect(fault(with(0x00), .string) == .null)
            #expect(fault(with(0x00), .payload) == nil)
            #expect(fault(with(UInt8(ascii: "+")), .topicName) == .wildcard)
            #expect(fault(with(UInt8(ascii: "#")), .topicName) == .wildcard)
            #expect(fault(with(UInt8(ascii: "#")), .string) == nil)
            #expect(fault(with(UInt8(ascii: ",")), .topicName) == nil)
            #expect(fault(with(0x01), .topicName) == nil)
            #expect(fault(with(0x7F), .topicName) == nil)
        }
    }

    @Test(arguments: ["é", "漢", "😀", "\u{10FFFF}", "\u{FFFF}", "\u{FEFF}"])
    func `a character of several bytes is accepted at every place and refused when cut`(character: String) {
        for prefix in 0..<20 {
            let text = Array((String(repeating: "a", count: prefix) + character + "/tail-of-ascii").utf8)
            #expect(fault(text, .topicName) == nil)
            let end = prefix + character.utf8.count
            for cut in prefix + 1..<end { #expect(fault(Array(text[..<cut]), .topicName) == .notUTF8) }
        }
    }

    @Test(.spec("MQTT-3.3.2-4"))
    func `a payload is checked within its range only`() {
        let bytes: [UInt8] = [0xFF] + Array("text\0".utf8) + [0xFF]
        func isValid(_ range: Range<Int>) -> Bool { UTF8Validation.isValid(bytes.span, range: range) }
        #expect(isValid(1..<6))
        #expect(!isValid(0..<6))
        #expect(!isValid(1..<7))
        #expect(isValid(3..<3))
    }
}
