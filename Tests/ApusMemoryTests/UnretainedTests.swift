import ApusMemory
import Testing

@Suite("Unretained")
struct UnretainedTests {
    private final class Object: Sendable {
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    @Test func `the object is reached as long as its owner keeps it, and no longer kept by the reference`() {
        var owner: Object? = Object(7)
        weak let observer = owner
        let reference = Unretained(owner!)
        #expect(reference.with { $0.number } == 7)
        owner = nil
        #expect(observer == nil)
    }

    @Test func `what the object is asked may change what stands beside the reference`() {
        var sum = 0
        let object = Object(7)
        let reference = Unretained(object)
        withExtendedLifetime(object) { reference.with { sum += $0.number } }
        #expect(sum == 7)
    }
}
