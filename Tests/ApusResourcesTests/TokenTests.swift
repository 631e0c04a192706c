import ApusCrypto
import ApusMessage
import Testing

@testable import ApusResources

@Suite("Tokens")
struct TokenTests {
    private static let seal = TokenSeal(secret: Array(0..<32))

    private static func token(_ resources: [String] = ["orders/#", "chat/+"]) -> Token {
        Token(
            id: "00112233445566778899aabbccddeeff",
            instance: InstanceNumber(rawValue: 7),
            accessKeyID: "LTAIexampleAK",
            mayRead: true,
            mayWrite: false,
            resources: resources,
            issuedAt: 1_763_826_000_000,
            expiresAt: 1_763_826_060_000,
        )
    }

    @Test(arguments: [(true, true), (true, false), (false, true), (false, false)])
    func `what was sealed is opened`(mayRead: Bool, mayWrite: Bool) {
        var token = Self.token()
        token.mayRead = mayRead
        token.mayWrite = mayWrite
        #expect(Self.seal.open(Self.seal.seal(token)) == token)
    }

    @Test(arguments: [
        [], [""], ["🦀/é/#"], (0..<100).map { "topic\($0)/" + String(repeating: "x", count: 56) },
        (0..<100).map { "\($0)" + String(repeating: "y", count: 253) },
    ])
    func `up to 100 resources of any text are carried`(resources: [String]) {
        let token = Self.token(resources)
        let text = Self.seal.seal(token)
        #expect(Self.seal.open(text) == token)
        #expect(!text.contains { "|,\n ".contains($0) }, "it stands in passwords between bars")
    }

    @Test func `extreme numbers are carried`() {
        var token = Self.token()
        token.instance = InstanceNumber(rawValue: .max)
        token.issuedAt = .min
        token.expiresAt = .max
        #expect(Self.seal.open(Self.seal.seal(token)) == token)
    }

    @Test func `a token cut at any byte is none`() throws {
        let text = Self.seal.seal(Self.token())
        for count in 0..<text.utf8.count { #expect(Self.seal.open(String(text.prefix(count))) == nil) }
        let bytes = try #require(Base64.decode(text))
        for count in 0..<bytes.count { #expect(Self.seal.open(Base64.encode(Array(bytes.prefix(count)))) == nil) }
    }

    @Test func `a token with any bit flipped is none`() throws {
        let bytes = try #require(Base64.decode(Self.seal.seal(Self.token())))
        for index in bytes.indices {
            for bit in 0..<8 {
                var forged = bytes
                forged[index] ^= 1 << bit
                #expect(Self.seal.open(Base64.encode(forged)) == nil)
            }
        }
    }

    @Test func `any other character makes it another token`() {
        let text = Array(Self.seal.seal(Self.token()).utf8)
        for index in text.indices {
            for character in [UInt8(ascii: "A"), UInt8(ascii: "-"), UInt8(ascii: "="), 0, 0xFF]
            where character != text[index] {
                var forged = text
                forged[index] = character
                #expect(Self.seal.open(String(decoding: forged, as: UTF8.self)) == nil)
            }
        }
    }

    @Test(arguments: [[], [0], Array(1...32), Array(repeating: 0, count: 32)] as [[UInt8]])
    func `a token under another secret is none`(secret: [UInt8]) {
        #expect(TokenSeal(secret: secret).open(Self.seal.seal(Self.token())) == nil)
        #expect(Self.seal.open(TokenSeal(secret: secret).seal(Self.token())) == nil)
    }

    @Test func `the same token has one text only`() throws {
        // 62 bytes of fields and 32 of seal: two characters of padding, four bits left over.
        var token = Self.token(["abc"])
        while Base64.decode(Self.seal.seal(token))?.count.isMultiple(of: 3) != false { token.accessKeyID += "x" }
        let text = Self.seal.seal(token)
        let bare = text.filter { $0 != "=" }
        var others = [bare, text + "=", text + "==", " " + text, text + "\n", text + "AAAA"]
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        let padding = String(repeating: "=", count: text.count - bare.count)
        others += alphabet.filter { $0 != bare.last }.map { String(bare.dropLast()) + String($0) + padding }
        others.append(text.replacing("+", with: "-").replacing("/", with: "_") + "\u{0}")
        for other in others { #expect(Self.seal.open(other) == nil) }
        #expect(Self.seal.open(text) == token)
    }

    /// Sealed rightly, so that only the reader of the fields refuses them.
    @Test(arguments: [
        [], [1], [2, 3] + [UInt8](repeating: 0, count: 24), [1, 3] + [UInt8](repeating: 0, count: 20),
        [1, 3] + [UInt8](repeating: 0, count: 20) + [2, 0, 0xC3, 0x28, 0, 0],
        [1, 3] + [UInt8](repeating: 0, count: 20) + [0, 0, 0, 0, 9, 0, 65],
        [1, 3] + [UInt8](repeating: 0, count: 20) + [0, 0, 0, 0, 0xFF],
    ])
    func `sealed nonsense is no token`(fields: [UInt8]) {
        let text = Base64.encode(fields + HMAC.sha256(key: Array(0..<32), fields))
        #expect(Self.seal.open(text) == nil)
    }

    @Test(arguments: ["", "=", "AAAA", "R|token", String(repeating: "A", count: 1 << 20), "🦀🦀🦀🦀"])
    func `other text is no token`(text: String) {
        #expect(Self.seal.open(text) == nil)
    }
}
