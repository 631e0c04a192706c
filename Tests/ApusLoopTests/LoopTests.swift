import ApusLocks
import Foundation
import Testing

@testable import ApusLoop

@Suite("Loop parts")
struct LoopTests {
    @Test
    func `an edge comes once, and again with new bytes`() throws {
        let pair = try Socket.pair()
        let poller = try Poller()
        try poller.add(pair.second.number, token: .max)
        #expect((poller.wait(timeoutMilliseconds: 0)) == 1)
        #expect(poller[0].isWritable)
        #expect(!poller[0].isReadable)
        #expect((poller.wait(timeoutMilliseconds: 0)) == 0)
        for _ in 0..<2 {
            #expect(write(pair.first.number, "x", 1) == 1)
            #expect((poller.wait(timeoutMilliseconds: 0)) == 1)
            #expect(poller[0].isReadable)
            #expect(poller[0].token == .max)
            #expect((poller.wait(timeoutMilliseconds: 0)) == 0)
        }
        poller.remove(pair.second.number)
        poller.remove(-1)
        #expect(write(pair.first.number, "x", 1) == 1)
        #expect((poller.wait(timeoutMilliseconds: 0)) == 0)
    }

    @Test
    func `a bad descriptor is an error with its name`() throws {
        let poller = try Poller()
        let error = #expect(throws: SystemError.self) { try poller.add(-1, token: 0) }
        #expect(error?.name == "EBADF")
    }

    @Test
    func `signals between two looks are one, and none is lost`() throws {
        let wakeUp = try WakeUp()
        let poller = try Poller()
        try poller.addLevelTriggered(wakeUp.fileDescriptor, token: 1)
        #expect((poller.wait(timeoutMilliseconds: 0)) == 0)
        for _ in 0..<3 {
            for _ in 0..<5 { wakeUp.signal() }
            #expect((poller.wait(timeoutMilliseconds: 0)) == 1)
            wakeUp.acknowledge()
            #expect((poller.wait(timeoutMilliseconds: 0)) == 0)
        }
    }

    @Test
    func `letters of several threads all arrive, in order for each sender`() throws {
        let wakeUp = try WakeUp()
        let mailbox = Mailbox<(sender: Int, number: Int)>(wakeUp: wakeUp)
        let poller = try Poller()
        try poller.addLevelTriggered(wakeUp.fileDescriptor, token: 1)
        #expect(mailbox.isEmpty)
        #expect(mailbox.drain().isEmpty)
        let thread0 = try Self.sender(0, to: mailbox)
        let thread1 = try Self.sender(1, to: mailbox)
        var next = [0, 0]
        var letters: [(sender: Int, number: Int)] = []
        let deadline = Clock.monotonicNanoseconds() + 20_000_000_000
        while next != [20_000, 20_000], Clock.monotonicNanoseconds() < deadline {
            _ = poller.wait(timeoutMilliseconds: 1_000)
            wakeUp.acknowledge()
            mailbox.drain(into: &letters)
            for letter in letters {
                #expect(letter.number == next[letter.sender])
                next[letter.sender] += 1
            }
        }
        #expect(next == [20_000, 20_000])
        thread0.join()
        thread1.join()
        #expect(mailbox.isEmpty)
    }

    private static func sender(_ sender: Int, to mailbox: Mailbox<(sender: Int, number: Int)>) throws -> NativeThread {
        try NativeThread(name: "sender \(sender)") {
            for number in stride(from: 0, to: 20_000, by: 4) {
                mailbox.post((sender, number))
                mailbox.post(contentsOf: [])
                mailbox.post(contentsOf: (1..<4).map { (sender, number + $0) })
            }
        }
    }

    @Test
    func `the clock is near the wall clock and never runs backwards`() {
        let clock = Clock()
        var last = clock.now()
        #expect(abs(last - Int64(Date().timeIntervalSince1970 * 1000)) < 60_000)
        for _ in 0..<10_000 {
            let now = clock.now()
            #expect(now >= last)
            last = now
        }
    }

    @Test
    func `operator signals come as events, in the thread that blocks them`() throws {
        let seen = Guarded<[OperatorSignal]>([])
        let thread = try NativeThread(name: "signals") {
            guard let waiter = try? SignalWaiter() else { return }
            #expect((waiter.next()) == nil)
            for number in [SIGHUP, SIGINT, SIGTERM] {
                // Only to this thread, which blocks it: the test process must not end.
                _ = pthread_kill(pthread_self(), number)
                let signal = waiter.wait()
                seen.withLock { $0.append(signal) }
            }
            #expect((waiter.next()) == nil)
        }
        thread.join()
        #expect(seen.withLock { $0 } == [.reload, .interrupt, .terminate])
    }

    @Test
    func `a thread has its name and runs once`() throws {
        let names = Guarded<[String]>([])
        let thread = try NativeThread(name: "apus-shard-0-long-name") {
            let name = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
            names.withLock { $0.append(name ?? "?") }
        }
        thread.join()
        #expect(names.withLock { $0 } == ["apus-shard-0-lo\n"])
    }

    @Test
    func `the machine tells sensible figures`() throws {
        #expect(Machine.processorCount() >= 1)
        #expect(Machine.raiseOpenFileLimit() >= 256)
        #expect(Machine.raiseOpenFileLimit() == Machine.raiseOpenFileLimit())
        let random = try Machine.randomBytes(1_000)
        #expect(random.count == 1_000)
        #expect(Set(random).count > 100)
        #expect(try Machine.randomBytes(0).isEmpty)
    }

    @Test
    func `a descriptor closes at its end and not after release`() throws {
        let number: Int32
        do {
            let descriptor = try Socket.make(family: AF_UNIX)
            let copy = try descriptor.duplicate()
            #expect(copy.number != descriptor.number)
            number = copy.release()
        }
        #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
        #expect(close(number) == 0)
    }
}
