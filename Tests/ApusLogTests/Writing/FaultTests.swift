import ApusLoop
import ApusMessage
import ApusStore
import Glibc
import Testing

@testable import ApusLog

/// A small history, and a disk that fails in every place where it can.
@Suite("Faults")
struct FaultTests {
    /// What a session must get, and what it may.
    struct Ledger {
        var number = SessionNumber.none
        /// Name and position of what was put, in order.
        var put: [(name: String, position: StorePosition)] = []
        var committed = StorePosition.none
        var isStateCommitted = false
    }

    /// Ten messages in five commits for one session.
    private func history(_ log: LogUnderTest) -> Ledger {
        var ledger = Ledger()
        let store = log.stores[0]
        ledger.number = store.newSessionNumber()
        let state = store.record(.state(SessionRecord(clientID: "one", expirySeconds: 9)), of: ledger.number)
        for index in 0..<10 {
            let name = "m\(index)"
            if let position = store.put(name, ledger.number, handle(1), payload: 150) {
                ledger.put.append((name, position))
            }
            if index % 2 == 1 { log.commit() }
        }
        ledger.committed = store.committed
        ledger.isStateCommitted = state <= store.committed
        return ledger
    }

    private var options: LogOptions {
        var options = LogOptions()
        // Several segments in a small history.
        options.segmentBytes = 1024
        return options
    }

    /// Opens the log again: all that was committed is there, in order, once, and nothing that was not put.
    private func check(_ disk: SimulatedDisk, _ ledger: Ledger, _ what: String) throws {
        let log = try LogUnderTest(disk, options: options)
        let found = log.log.takeSessions()
        guard ledger.isStateCommitted || !found.isEmpty else { return }
        #expect(found.map(\.number) == [ledger.number], "\(what)")
        _ = log.stores[0].restoreQueue(of: ledger.number, to: handle(1)) { _ in nil }
        let names = log.stores[0].drain(handle(1))
        let all = ledger.put.map(\.name)
        let safe = ledger.put.filter { $0.position <= ledger.committed }.map(\.name)
        #expect(names.count >= safe.count && names == Array(all.prefix(names.count)), "\(what): \(names), safe \(safe)")
        // It can be written again.
        let position = log.stores[0].put("after", ledger.number, handle(1))
        log.commit()
        #expect(position.map { $0 <= log.stores[0].committed } == true, "\(what)")
    }

    @Test func `a crash at every byte of what was not synced loses nothing that was`() throws {
        let disk = SimulatedDisk()
        let log = try LogUnderTest(disk, options: options)
        var ledger = history(log)
        // A last write that the disk has not taken yet.
        for name in ["x", "y"] {
            guard let position = log.stores[0].put(name, ledger.number, handle(1)) else { continue }
            ledger.put.append((name, position))
        }
        for call in [SimulatedDisk.Call.synchronize, .truncate, .delete, .rename] { disk.broken[call] = EIO }
        let before = disk.copy(seed: 1)
        log.stores[0].handOver()
        _ = log.log.writer.step()
        #expect(ledger.put.last.map { $0.position > log.stores[0].committed } == true)
        // As the file was when the write had come, and the sync had not.
        for name in try before.list() {
            let (old, new) = (before.bytes(of: name), disk.bytes(of: name))
            guard old != new, let first = old.indices.first(where: { $0 < new.count && old[$0] != new[$0] }) else {
                continue
            }
            for end in first...new.count {
                let torn = before.copy(seed: 2)
                torn.change(name) { $0.replaceSubrange(first..<end, with: new[first..<end]) }
                torn.crash(.losesAll)
                try check(torn, ledger, "\(name) torn at \(end)")
            }
        }
    }

    @Test(
        arguments: [SimulatedDisk.Call.write, .synchronize, .allocate, .create, .rename, .synchronizeFolder],
        [1, 2, 50]
    )
    func `a call that fails at any place costs no message`(call: SimulatedDisk.Call, times: Int) throws {
        let clean = SimulatedDisk()
        _ = history(try LogUnderTest(clean, options: options))
        let total = clean.calls[call] ?? 0
        let opened = SimulatedDisk()
        _ = try LogUnderTest(opened, options: options)
        let first = (opened.calls[call] ?? 0) + 1
        #expect(first <= total)
        for number in first...max(first, total) {
            for crash in [SimulatedDisk.Crash.losesAll, .keepsAll, .keepsBytes(100), .keepsSome(blockBytes: 64)] {
                let disk = SimulatedDisk(seed: UInt64(number))
                let log = try LogUnderTest(disk, options: options)
                disk.failures[call] = Dictionary(uniqueKeysWithValues: (number..<number + times).map { ($0, EIO) })
                var ledger = history(log)
                if case .losesAll = crash {
                    // It recovers by itself.
                    disk.failures = [:]
                    log.pass(milliseconds: 2000)
                    log.commit()
                    ledger.committed = log.stores[0].committed
                    ledger.isStateCommitted = true
                    #expect(log.stores[0].refusal == nil)
                    #expect(ledger.put.allSatisfy { $0.position <= ledger.committed })
                    #expect(log.log.statistics.state == .running)
                }
                disk.crash(crash)
                try check(disk, ledger, "\(call) \(number) failing \(times) times, \(crash)")
            }
        }
    }

    @Test(arguments: Array(stride(from: 2300, to: 8000, by: 37)))
    func `a full disk refuses, keeps what it has taken, and goes on when there is room`(budget: Int) throws {
        let disk = SimulatedDisk()
        let log = try LogUnderTest(disk, options: options)
        disk.budget = budget
        var ledger = history(log)
        let refused = log.stores[0].refusal
        if ledger.put.count < 10 { #expect(refused != nil) }
        let copy = disk.copy(seed: 1)
        copy.crash(.losesAll)
        try check(copy, ledger, "full at \(budget)")
        disk.budget = .max
        log.pass(milliseconds: 2000)
        log.commit()
        #expect(log.stores[0].refusal == nil)
        let position = try #require(log.stores[0].put("later", ledger.number, handle(1)))
        ledger.put.append(("later", position))
        log.commit()
        ledger.committed = log.stores[0].committed
        ledger.isStateCommitted = true
        #expect(position <= ledger.committed)
        disk.crash(.losesAll)
        try check(disk, ledger, "full at \(budget), then room")
    }

    @Test(arguments: [1, 3, 7, 40])
    func `short writes are completed`(bytes: Int) throws {
        let disk = SimulatedDisk()
        let log = try LogUnderTest(disk, options: options)
        disk.shortWrites = bytes
        let ledger = history(log)
        #expect(ledger.put.count == 10)
        #expect(ledger.put.allSatisfy { $0.position <= ledger.committed })
        disk.crash(.losesAll)
        try check(disk, ledger, "short writes")
    }

    @Test func `a limit for the folder is kept, and sessions go on in the reserve`() throws {
        let disk = SimulatedDisk()
        var options = LogUnderTest.small
        options.maximumBytes = 8 * 4096
        let log = try LogUnderTest(disk, options: options)
        let store = log.stores[0]
        let number = store.makeSession("one")
        var taken: [StorePosition] = []
        for index in 0..<300 {
            guard let position = store.put("m\(index)", number, handle(1), payload: 100) else { break }
            taken.append(position)
            log.commit()
        }
        #expect(taken.count > 50 && taken.count < 300)
        #expect(store.refusal == .full)
        #expect(disk.usedBytes <= options.maximumBytes + 100)
        #expect(taken.allSatisfy { $0 <= store.committed })
        // What gives room is taken all the same.
        _ = store.drain(handle(1))
        var last = StorePosition.none
        for position in taken[..<20] { last = store.finished(position, by: number) }
        log.commit()
        #expect(last <= store.committed)
        for position in taken[20...] { last = store.finished(position, by: number) }
        log.commit()
        #expect(log.events.now.contains { if case .full = $0 { true } else { false } })
        // The oldest segments hold nothing any more: it goes on by itself.
        for _ in 0..<20 where store.refusal != nil {
            if store.isVacating {
                if store.mustRecordAgain(number) {
                    _ = store.record(.state(SessionRecord(clientID: "one", expirySeconds: 60)), of: number)
                }
                store.vacated()
            }
            log.pass(milliseconds: 1000)
            log.commit()
        }
        #expect(store.refusal == nil)
        #expect(last <= store.committed)
        #expect(store.put("again", number, handle(1)) != nil)
    }

    @Test func `a failed sync seals its segment, and the segment is never synced again`() throws {
        let disk = SimulatedDisk()
        let log = try LogUnderTest(disk)
        let store = log.stores[0]
        let number = store.makeSession("one")
        store.put("a", number, handle(1))
        log.commit()
        disk.failures[.synchronize] = [(disk.calls[.synchronize] ?? 0) + 1: EIO]
        let position = try #require(store.put("b", number, handle(1)))
        log.commit()
        #expect(position <= store.committed)
        #expect(log.log.statistics.failures == 1)
        #expect(log.events.now.contains(.segmentFailed(segment: 1, .init(code: EIO, call: "synchronize"))))
        let sealed = disk.bytes(of: LogSource.name(ofSegment: 1))
        for name in ["c", "d"] {
            store.put(name, number, handle(1))
            log.commit()
        }
        #expect(disk.bytes(of: LogSource.name(ofSegment: 1)) == sealed)
        disk.crash(.losesAll)
        let again = try LogUnderTest(disk)
        _ = again.stores[0].restoreQueue(of: number, to: handle(1)) { _ in nil }
        #expect(again.stores[0].drain(handle(1)) == ["a", "b", "c", "d"])
    }
}
