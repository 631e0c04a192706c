import ApusCrypto
import Testing

@Suite("Base64 and hexadecimal text")
struct TextEncodingTests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func `Base64 gives the values of RFC 4648 both ways`(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test func `every byte survives Base64 and hexadecimal`() {
        for count in 0...70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ count) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        }
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm-_", "Zh==", "Zm9=", "Zg==\0",
        "Zm9ü",
    ])
    func `Base64 that encode would not write is refused`(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(arguments: [
        ("", []), ("Zg", [0x66]), ("Zm8", [0x66, 0x6F]), ("-_-_", [0xFB, 0xFF, 0xBF]), ("Zm9v", [0x66, 0x6F, 0x6F]),
    ])
    func `URL-safe Base64 has no padding`(text: String, bytes: [UInt8]) {
        #expect(Base64.decodeURLSafe(text) == bytes)
    }

    @Test(arguments: ["Z", "Zg==", "Zm9=", "+/+/", "Zh", "Zm9vZ", "Zm9v\n", "Zm9v.", "Zm9ü"])
    func `what is not URL-safe Base64 is refused`(text: String) {
        #expect(Base64.decodeURLSafe(text) == nil)
    }

    @Test func `hexadecimal takes either case and nothing else`() {
        #expect(Hex.decode("00fFAb") == [0, 255, 171])
        for text in ["0", "0g", "0x", " 00", "-1"] { #expect(Hex.decode(text) == nil) }
    }
}
