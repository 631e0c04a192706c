import Testing

@testable import ApusLoop

@Suite("Waiting for a signal, but not for ever")
struct WakeUpWaitTests {
    @Test func `a wait that nobody ends is over in time, and says so`() throws {
        let wakeUp = try WakeUp()
        #expect(!wakeUp.wait(milliseconds: 0))
        #expect(!wakeUp.wait(milliseconds: 1))
        #expect(!wakeUp.wait(milliseconds: -1))
    }

    @Test func `a signal counts once, whether it came before or meanwhile`() throws {
        let wakeUp = try WakeUp()
        wakeUp.signal()
        wakeUp.signal()
        #expect(wakeUp.wait(milliseconds: 0))
        #expect(!wakeUp.wait(milliseconds: 0))
        let thread = try NativeThread(name: "test") { wakeUp.signal() }
        #expect(wakeUp.wait(milliseconds: 60_000))
        thread.join()
    }
}
