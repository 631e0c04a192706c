import Testing

@testable import ApusBroker

@Suite("Peer")
struct PeerTests {
    static let addresses = [
        "127.0.0.1:50123", "255.255.255.255:65535", "192.0.2.1:0", "[::1]:50123", "[2001:db8::1:2]:443", "unix", "",
        // None that a socket has, but a PROXY header or a test may name them.
        "192.0.2.1", "::1", "name:", ":1", "name:007", "name:+7", "name:65536", "name:80 ", "a:b:80", "ü:5",
    ]

    @Test(arguments: addresses)
    func `an address comes back as it was`(address: String) {
        var peer = Peer(address: address, listener: "tcp", isLoopback: false)
        #expect(peer.address == address)
        peer.address = "192.0.2.7:1"
        #expect(peer.address == "192.0.2.7:1")
        peer.address = address
        #expect(peer.address == address)
        #expect(peer == Peer(address: address, listener: "tcp", isLoopback: false))
    }

    @Test func `peers of different addresses are different`() {
        let peers = Self.addresses.map { Peer(address: $0, listener: "tcp", isLoopback: false) }
        for (place, peer) in peers.enumerated() { #expect(peers.firstIndex(of: peer) == place) }
    }
}
