import ProxyProtocol
import Testing

@Suite("PROXY protocol version 2")
struct ProxyBlockTests {
    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    /// 192.0.2.1:56324 to 198.51.100.1:1883.
    static let version4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 1, 0xDC, 0x04, 0x07, 0x5B]
    /// 2001:db8::1, port 1, to ::1, port 2.
    static let version6: [UInt8] =
        [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1] + [UInt8](repeating: 0, count: 15)
        + [1, 0, 1, 0, 2]
    static let unix = Array("/run/a.sock".utf8) + [UInt8](repeating: 0, count: 205)

    static func block(_ command: UInt8, _ family: UInt8, _ body: [UInt8]) -> [UInt8] {
        signature + [command, family, UInt8(body.count >> 8), UInt8(truncatingIfNeeded: body.count)] + body
    }

    static func block(_ family: UInt8, _ body: [UInt8]) -> [UInt8] { block(0x21, family, body) }

    static func value(_ kind: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        [kind, UInt8(bytes.count >> 8), UInt8(truncatingIfNeeded: bytes.count)] + bytes
    }

    static let good: [(name: String, bytes: [UInt8], source: ProxyHeader.Source)] = [
        ("IPv4", block(0x11, version4), .internet(address: "192.0.2.1", port: 56324)),
        ("IPv6", block(0x21, version6), .internet(address: "2001:db8::1", port: 1)),
        (
            "IPv4 in IPv6",
            block(
                0x21,
                [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 10, 0, 0, 7] + [UInt8](repeating: 0, count: 20)
            ),
            .internet(address: "10.0.0.7", port: 0)
        ),
        ("unix", block(0x31, unix), .unix(path: "/run/a.sock")),
        (
            "unix without end", block(0x31, [UInt8](repeating: 0x61, count: 216)),
            .unix(path: String(repeating: "a", count: 108))
        ),
        ("unix without name", block(0x31, [UInt8](repeating: 0, count: 216)), .unix(path: "")),
        ("unspecified", block(0x00, []), .local),
        ("local", block(0x20, 0x00, []), .local),
        ("local with addresses", block(0x20, 0x11, version4), .local),
        ("local with anything", block(0x20, 0x11, [1, 2, 3]), .local),
        (
            "unknown extension", block(0x11, version4 + value(0xEE, [1, 2]) + value(0x04, [])),
            .internet(address: "192.0.2.1", port: 56324)
        ),
    ]

    @Test(arguments: good)
    func `a header is understood at its last byte and not before`(
        name: String,
        bytes: [UInt8],
        source: ProxyHeader.Source
    ) throws {
        let header = try #require(try ProxyHeader.parse(bytes.span))
        #expect(header.source == source)
        #expect(header.consumed == bytes.count)
        for cut in bytes.indices { #expect(outcome(Array(bytes[..<cut])) == .success(nil)) }
        #expect(outcome(bytes + [0x10, 0x00]) == .success(header))
    }

    @Test(
        arguments: [
            (signature + [0x22], .unsupported), (signature + [0x11], .unsupported), (signature + [0x31], .unsupported),
            (signature + [0x21, 0x12], .unsupported), (signature + [0x21, 0x22], .unsupported),
            (signature + [0x21, 0x41], .unsupported), (signature + [0x21, 0x10], .unsupported),
            (signature + [0x21, 0x01], .unsupported), (signature + [0x21, 0x11, 0x0F, 0xF1], .tooLong),
            (signature + [0x20, 0x00, 0xFF, 0xFF], .tooLong), (Array(signature[..<11]) + [0x0B], .noHeader),
            ([0x0D, 0x0A, 0x0D, 0x0B], .noHeader), (block(0x11, Array(version4[..<11])), .addressTooShort),
            (block(0x21, version4), .addressTooShort), (block(0x31, version6), .addressTooShort),
            (block(0x11, version4 + [0x04]), .malformedExtension),
            (block(0x11, version4 + [0x04, 0]), .malformedExtension),
            (block(0x11, version4 + [0x04, 0, 1]), .malformedExtension),
            (block(0x11, version4 + [0x04, 0xFF, 0xFF, 1]), .malformedExtension),
            (block(0x00, [1]), .malformedExtension),
            (block(0x11, version4 + value(0x20, [1, 0, 0, 0])), .malformedExtension),
            (block(0x11, version4 + value(0x20, [1, 0, 0, 0, 0, 0x22, 0, 2, 65])), .malformedExtension),
        ] as [([UInt8], ProxyProtocolError)]
    )
    func `a header against the rules is refused`(bytes: [UInt8], error: ProxyProtocolError) {
        #expect(outcome(bytes) == .failure(error))
        #expect(!error.words.isEmpty)
    }

    @Test func `a header of 4 KiB is accepted`() throws {
        let bytes = Self.block(0x11, Self.version4 + Self.value(0xEE, [UInt8](repeating: 0, count: 4096 - 16 - 12 - 3)))
        #expect(bytes.count == 4096)
        #expect(try outcome(bytes).get()?.consumed == 4096)
    }

    @Test func `the server name is told`() throws {
        let bytes = Self.block(0x11, Self.version4 + Self.value(0x02, Array("a.example".utf8)))
        #expect(try outcome(bytes).get()?.authority == "a.example")
        let notText = Self.block(0x11, Self.version4 + Self.value(0x02, [0xFF]))
        #expect(try outcome(notText).get()?.authority == nil)
    }

    @Test(
        arguments: [
            (0x01 | 0x02, 0, "device"), (0x01 | 0x04, 0, "device"), (0x07, 0, "device"), (0x01, 0, nil), (0x02, 0, nil),
            (0x07, 1, nil), (0x00, 0, nil),
        ] as [(UInt8, UInt8, String?)]
    )
    func `the certificate's name is told only when it was verified`(bits: UInt8, verify: UInt8, name: String?) throws {
        let inner = Self.value(0x21, Array("TLSv1.3".utf8)) + Self.value(0x22, Array("device".utf8))
        let bytes = Self.block(0x21, Self.version6 + Self.value(0x20, [bits, 0, 0, 0, verify] + inner))
        #expect(try outcome(bytes).get()?.certificateCommonName == name)
    }

    @Test func `a header with any byte changed is refused or understood`() {
        let inner = Self.value(0x22, Array("device".utf8))
        let bytes = Self.block(
            0x11,
            Self.version4 + Self.value(0x20, [7, 0, 0, 0, 0] + inner) + Self.value(0x02, [65])
        )
        for index in bytes.indices {
            for value in [0x00, 0x01, 0x7F, 0x80, 0xFF] as [UInt8] {
                var changed = bytes
                changed[index] = value
                if case .success(let header?) = outcome(changed) { #expect(header.consumed <= bytes.count) }
            }
        }
    }
}
