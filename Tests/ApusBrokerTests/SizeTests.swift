import ApusMessage
import ApusSession
import CLinux
import Testing

@testable import ApusBroker

/// A connection costs what its values cost, filled or not; `apus bench idle` measures the sum.
@Suite("Sizes")
struct SizeTests {
    @Test func `an idle connection is small`() {
        #expect(MemoryLayout<Connection>.stride <= 144)
        #expect(MemoryLayout<Peer>.size <= 48)
        #expect(MemoryLayout<Principal>.size <= 68)
        let details = ConnectionDetails(
            peer: Peer(address: "127.0.0.1:1", listener: "tcp", isLoopback: true),
            acceptedAt: .distantFuture
        )
        // Of 192 bytes malloc has 8 for itself.
        #expect(malloc_usable_size(Unmanaged.passUnretained(details).toOpaque()) <= 184)
        withExtendedLifetime(details) {}
    }

    @Test func `a session without messages is small`() {
        #expect(MemoryLayout<Session>.stride <= 160)
    }
}
