import ApusSession
import Testing

@testable import ApusBroker

/// A connection costs what its values cost, filled or not; `apus bench idle` measures the sum.
@Suite("Sizes")
struct SizeTests {
    @Test func `an idle connection is small`() {
        #expect(MemoryLayout<Connection>.stride <= 144)
        #expect(MemoryLayout<Peer>.size <= 48)
        #expect(MemoryLayout<Principal>.size <= 68)
    }

    @Test func `a session without messages is small`() {
        #expect(MemoryLayout<Session>.stride <= 184)
    }
}
