import ApusConfiguration
import ApusMessage
import Testing

@testable import apus

@Suite("Default limits")
struct DefaultLimitsTests {
    @Test func `the configuration's defaults are those of the broker`() {
        #expect(Limits(Configuration().limits) == Limits())
    }
}
