import ApusLocks
import Testing

@testable import ApusLoop

@Suite("Waking a loop that sleeps only when it has nothing to do")
struct LoopWakeUpTests {
    @Test func `a letter posted while the owner is awake wakes nobody and is found before it sleeps`() throws {
        let wakeUp = try WakeUp()
        let mailbox = Mailbox<Int>(wakeUp: wakeUp)
        let poller = try Poller()
        try poller.add(wakeUp.fileDescriptor, token: 1)
        // An eventfd that can be written to is reported once.
        _ = poller.wait(timeoutMilliseconds: 0)
        wakeUp.stayAwake()
        mailbox.post(1)
        #expect(poller.wait(timeoutMilliseconds: 0) == 0)
        wakeUp.fallAsleep()
        #expect(!mailbox.isEmpty)
        #expect(mailbox.drain() == [1])
    }

    @Test func `a letter posted to a sleeping owner ends its wait`() throws {
        let wakeUp = try WakeUp()
        let mailbox = Mailbox<Int>(wakeUp: wakeUp)
        let poller = try Poller()
        try poller.add(wakeUp.fileDescriptor, token: 1)
        _ = poller.wait(timeoutMilliseconds: 0)
        for round in 1...3 {
            wakeUp.fallAsleep()
            mailbox.post(round)
            #expect(poller.wait(timeoutMilliseconds: 10_000) == 1)
            wakeUp.stayAwake()
            #expect(mailbox.drain() == [round])
        }
    }

    /// Two loops play ping-pong; a lost wake-up would leave both asleep until the time limit.
    @Test(.timeLimit(.minutes(5))) func `no letter is overlooked in twenty thousand exchanges`() throws {
        let ends = try [WakeUp(), WakeUp()]
        let boxes = ends.map { Mailbox<Int>(wakeUp: $0) }
        let last = 20_000
        func play(_ own: Int) throws {
            let poller = try Poller()
            try poller.add(ends[own].fileDescriptor, token: 1)
            while true {
                ends[own].fallAsleep()
                _ = poller.wait(timeoutMilliseconds: boxes[own].isEmpty ? nil : 0)
                ends[own].stayAwake()
                for number in boxes[own].drain() {
                    if number < last + 1 { boxes[1 - own].post(number + 1) }
                    if number >= last { return }
                }
            }
        }
        boxes[0].post(0)
        let failure = Guarded<(any Error)?>(nil)
        let other = try NativeThread(name: "ping-pong") {
            do { try play(1) } catch { failure.withLock { $0 = error } }
        }
        try play(0)
        other.join()
        #expect(failure.withLock { $0 } == nil)
    }
}
