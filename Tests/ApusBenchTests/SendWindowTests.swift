import MQTTCodec
import Testing

@testable import ApusBench

@Suite("Packet identifiers of a run")
struct SendWindowTests {
    @Test
    func `identifiers begin with 1 and the one that rested longest is next`() {
        var window = SendWindow(size: 3)
        var taken = (0..<3).map { _ in window.take() }
        #expect(taken == [1, 2, 3])
        #expect(window.isFull)
        window.complete(2)
        #expect(!window.isFull)
        window.complete(1)
        taken = (0..<2).map { _ in window.take() }
        #expect(taken == [2, 1])
    }

    @Test
    func `the broker's receive maximum narrows the window`() {
        var window = SendWindow(size: 10)
        window.limit(to: 2)
        _ = window.take()
        #expect(!window.isFull)
        _ = window.take()
        #expect(window.isFull)
    }

    @Test
    func `an answer is told from one that nobody waits for`() {
        var window = SendWindow(size: 2)
        let identifier = window.take()
        #expect(window.waits(identifier) == .firstAnswer)
        window.received(identifier)
        #expect(window.waits(identifier) == .completion)
        window.complete(identifier)
        #expect(window.waits(identifier) == .nothing)
        #expect(window.waits(40_000) == .nothing)
    }

    @Test
    func `a QoS 2 message is new until its exchange is over`() {
        var received = ReceivedIdentifiers()
        received.remove(7)
        var isNew = [7, 7, 65_535].map { received.insert($0) }
        #expect(isNew == [true, false, true])
        received.remove(7)
        isNew = [7, 65_535].map { received.insert($0) }
        #expect(isNew == [true, false])
    }
}
