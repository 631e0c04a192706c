import ProxyProtocol
import Testing

/// What parsing gave, comparable.
func outcome(_ bytes: [UInt8]) -> Result<ProxyHeader?, ProxyProtocolError> {
    do throws(ProxyProtocolError) {
        return .success(try ProxyHeader.parse(bytes.span))
    } catch {
        return .failure(error)
    }
}

@Suite("PROXY protocol version 1")
struct ProxyLineTests {
    @Test(
        arguments: [
            ("TCP4 192.0.2.1 198.51.100.1 56324 1883", .internet(address: "192.0.2.1", port: 56324)),
            ("TCP4 0.0.0.0 255.255.255.255 0 65535", .internet(address: "0.0.0.0", port: 0)),
            ("TCP6 2001:DB8:0:0::1 ::1 1 2", .internet(address: "2001:db8::1", port: 1)),
            ("TCP6 ::ffff:192.0.2.9 ::1 1 2", .internet(address: "192.0.2.9", port: 1)),
            ("UNKNOWN", .local), ("UNKNOWN whatever  it says", .local),
        ] as [(String, ProxyHeader.Source)]
    )
    func `a line is understood at its last byte and not before`(line: String, source: ProxyHeader.Source) throws {
        let bytes = Array("PROXY \(line)\r\n".utf8)
        let header = try #require(try ProxyHeader.parse(bytes.span))
        #expect(header.source == source)
        #expect(header.consumed == bytes.count)
        for cut in bytes.indices { #expect(outcome(Array(bytes[..<cut])) == .success(nil)) }
        #expect(outcome(bytes + [0x10, 0x0A]) == .success(header))
    }

    @Test(arguments: [
        "TCP4 192.0.2.1 198.51.100.1 56324", "TCP4 192.0.2.1 198.51.100.1 56324 1883 ",
        "TCP4  192.0.2.1 198.51.100.1 1 2",
        "TCP4 192.0.2 198.51.100.1 1 2", "TCP4 192.0.2.256 198.51.100.1 1 2", "TCP4 192.0.2.01 198.51.100.1 1 2",
        "TCP4 192.0.2. 198.51.100.1 1 2", "TCP4 1.2.3.4.5 198.51.100.1 1 2", "TCP4 ::1 ::1 1 2", "TCP6 1.2.3.4 ::1 1 2",
        "TCP4 1.2.3.4 x 1 2", "TCP4 1.2.3.4 1.2.3.4 65536 2", "TCP4 1.2.3.4 1.2.3.4 01 2", "TCP4 1.2.3.4 1.2.3.4 -1 2",
        "TCP4 1.2.3.4 1.2.3.4 1 99999", "TCP4 1.2.3.4 1.2.3.4 +1 2", "TCP4 1.2.3.4 1.2.3.4  2",
        "UDP4 1.2.3.4 1.2.3.4 1 2",
        "tcp4 1.2.3.4 1.2.3.4 1 2", "", "UNKNOWNX", "TCP4 1.2.3.4 1.2.3.4 1 2\r", "TCP4\t1.2.3.4 1.2.3.4 1 2",
        "TCP6 ü ::1 1 2",
    ])
    func `a line of another form is refused`(line: String) {
        #expect(outcome(Array("PROXY \(line)\r\n".utf8)) == .failure(.malformedLine))
    }

    @Test(arguments: [
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:", "1::2::3", ":::", "1:::2", ":",
        "1:",
        "12345::", "g::", "::1.2.3", "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:6:7::8",
        "fe80::1%eth0", "",
    ])
    func `what is no IPv6 address is refused`(address: String) {
        #expect(outcome(Array("PROXY TCP6 \(address) ::1 1 2\r\n".utf8)) == .failure(.malformedLine))
    }

    @Test(arguments: [
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("0:0:1:0:0:0:1:0", "0:0:1::1:0"),
        ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ("1:0:0:2:3:0:0:4", "1::2:3:0:0:4"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("2001:DB8::00aB", "2001:db8::ab"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
    ])
    func `an IPv6 address is written in its one canonical form`(text: String, canonical: String) throws {
        let header = try #require(try outcome(Array("PROXY TCP6 \(text) ::1 1 2\r\n".utf8)).get())
        #expect(header.source == .internet(address: canonical, port: 1))
    }

    @Test func `a line of 107 bytes is accepted and one byte more is not`() throws {
        let fits = Array("PROXY UNKNOWN \(String(repeating: "x", count: 107 - 16))\r\n".utf8)
        #expect(fits.count == 107)
        #expect(try outcome(fits).get()?.consumed == 107)
        let tooLong = Array("PROXY UNKNOWN \(String(repeating: "x", count: 107 - 15))\r\n".utf8)
        #expect(outcome(tooLong) == .failure(.tooLong))
        #expect(outcome(Array(tooLong[..<106])) == .success(nil))
    }

    @Test(arguments: ["\n", "\r\r\n", "\rX\n", "\u{0}\r\n"])
    func `a line with a wrong end is refused`(end: String) {
        #expect(outcome(Array("PROXY UNKNOWN\(end)".utf8)) == .failure(.malformedLine))
    }

    @Test(
        arguments: [
            [0x10], [0x16, 0x03], Array("PROXX".utf8), Array("PR\n".utf8), Array("GET ".utf8), Array("proxy ".utf8),
        ] as [[UInt8]]
    )
    func `a client without a proxy is refused at the first wrong byte`(bytes: [UInt8]) {
        #expect(outcome(bytes) == .failure(.noHeader))
    }
}
