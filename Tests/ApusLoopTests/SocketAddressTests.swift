import Glibc
import Testing

@testable import ApusLoop

@Suite("Socket address")
struct SocketAddressTests {
    @Test(arguments: [
        "127.0.0.1:1883", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:8883", "[::]:0", "[2001:db8::7:1]:443",
        "[::ffff:127.0.0.1]:1", "unix:/run/apus.sock", "unix:relative",
    ])
    func `reading and writing are inverse`(text: String) throws {
        let address = try #require(SocketAddress(text))
        #expect(address.description == text)
        let back = address.withSystemAddress { system, length in
            system.withMemoryRebound(to: sockaddr_storage.self, capacity: 1) {
                SocketAddress($0.pointee, length: length)
            }
        }
        #expect(back == address)
    }

    @Test(arguments: [
        "", ":", "1883", "localhost:1883", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
        "127.0.0.1: 1", "127.0.0.256:1", "127.1:1", "::1:1883", "[::1]", "[::1]:", "[127.0.0.1]:1", "[::1:1", "[::g]:1",
        "unix:", "127.0.0.1\u{0}:1", "unix:/" + String(repeating: "x", count: 107), "unix:/a\u{0}b",
    ])
    func `anything else is refused`(text: String) {
        #expect(SocketAddress(text) == nil)
    }

    @Test(arguments: [
        ("127.0.0.1:1", true), ("127.9.9.9:1", true), ("128.0.0.1:1", false), ("0.0.0.0:1", false), ("[::1]:1", true),
        ("[::2]:1", false), ("[::]:1", false), ("[::ffff:127.0.0.1]:1", true), ("[::ffff:10.0.0.1]:1", false),
        ("unix:/x", true),
    ])
    func `loopback is told from the rest`(text: String, expected: Bool) throws {
        #expect(try #require(SocketAddress(text)).isLoopback == expected)
    }
}
