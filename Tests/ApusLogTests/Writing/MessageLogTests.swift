import ApusLocks
import ApusLoop
import ApusMessage
import ApusStore
import ApusTopics
import Glibc
import MQTTCodec
import Testing

@testable import ApusLog

@Suite("Message log")
struct MessageLogTests {
    @Test func `a committed message survives the loss of power`() throws {
        let disk = SimulatedDisk()
        var number = SessionNumber.none
        do {
            let log = try LogUnderTest(disk)
            number = log.stores[0].makeSession("one")
            for index in 0..<200 { log.stores[0].put("m\(index)", number, handle(1)) }
            log.commit()
            log.stores[0].put("late", number, handle(1))
        }
        disk.crash(.losesAll)
        let log = try LogUnderTest(disk)
        let sessions = log.log.takeSessions()
        #expect(sessions.map(\.record.clientID) == ["one"])
        #expect(sessions.first?.number == number)
        #expect(log.stores[0].restoreQueue(of: number, to: handle(5)) { _ in nil } == 200)
        #expect(log.stores[0].drain(handle(5)) == (0..<200).map { "m\($0)" })
        #expect(log.log.damage.isEmpty)
    }

    @Test func `what was not handed over is not written, what was is committed`() throws {
        let log = try LogUnderTest(SimulatedDisk())
        let store = log.stores[0]
        let number = store.makeSession("one")
        let position = try #require(store.put("a", number, handle(1)))
        log.work()
        #expect(store.committed < position)
        store.handOver()
        #expect(store.committed < position)
        log.work()
        #expect(store.committed >= position)
        let later = try #require(store.put("b", number, handle(1)))
        #expect(store.committed < later)
    }

    @Test func `several shards share one sync`() throws {
        let log = try LogUnderTest(SimulatedDisk(), shards: 3)
        let before = log.disk.calls[.synchronize] ?? 0
        let positions = log.stores.map { $0.put("a", $0.makeSession("s"), handle(1)) }
        log.commit()
        #expect((log.disk.calls[.synchronize] ?? 0) == before + 1)
        for (store, position) in zip(log.stores, positions) { #expect(store.committed >= position ?? .none) }
        #expect(log.notices.now.map(\.shard).sorted() == [0, 1, 2])
    }

    @Test func `each commit and each batch of a shard is measured once`() throws {
        let log = try LogUnderTest(SimulatedDisk(), shards: 3)
        let before = log.log.statistics
        for _ in 0..<2 {
            for store in log.stores { store.put("a", store.makeSession("s"), handle(1)) }
            log.commit()
        }
        let figures = log.log.statistics
        #expect(figures.commits - before.commits == 2)
        #expect(figures.commitDurations.count - before.commitDurations.count == 2)
        #expect(figures.appendDurations.count - before.appendDurations.count == 6)
        // A batch waits for at least as long as its write takes.
        #expect(figures.appendDurations.sum >= figures.commitDurations.sum)
    }

    @Test func `a shard is told once until it looks`() throws {
        let log = try LogUnderTest(SimulatedDisk())
        let number = log.stores[0].makeSession("s")
        for _ in 0..<3 {
            log.stores[0].put("a", number, handle(1))
            log.commit()
        }
        #expect(log.notices.now.count == 1)
        _ = log.stores[0].committed
        log.stores[0].put("a", number, handle(1))
        log.commit()
        #expect(log.notices.now.count == 2)
    }

    @Test func `a second process on the folder is refused`() throws {
        let disk = SimulatedDisk()
        let first = try LogUnderTest(disk)
        #expect(throws: LogError.inUse(path: "simulated", process: 1)) { try LogUnderTest(disk) }
        #expect(first.log.close())
        _ = try LogUnderTest(disk)
    }

    @Test func `a newer format is refused, and what is no log`() throws {
        let disk = SimulatedDisk()
        _ = try LogUnderTest(disk).log.close()
        disk.change("format") { $0 = Array("apus-log 2\n".utf8) }
        #expect(throws: LogError.newerFormat(path: "simulated", version: 2)) { try LogUnderTest(disk) }
        disk.change("format") { $0 = Array("something else\n".utf8) }
        #expect(throws: LogError.unknownFormat(path: "simulated")) { try LogUnderTest(disk) }
        try disk.delete("format")
        #expect(throws: LogError.unknownFormat(path: "simulated")) { try LogUnderTest(disk) }
    }

    @Test func `a message larger than a segment gets a segment of its size`() throws {
        let disk = SimulatedDisk()
        do {
            let log = try LogUnderTest(disk)
            let number = log.stores[0].makeSession("one")
            for name in ["a", "large", "b"] {
                log.stores[0].put(name, number, handle(1), payload: name == "large" ? 100_000 : 10)
                log.commit()
            }
            #expect(log.stores[0].drain(handle(1)) == ["a", "large", "b"])
        }
        disk.crash(.losesAll)
        let log = try LogUnderTest(disk)
        let number = try #require(log.log.takeSessions().first?.number)
        _ = log.stores[0].restoreQueue(of: number, to: handle(1)) { _ in nil }
        #expect(log.stores[0].next(handle(1))?.message.payloadCount == 10)
        #expect(log.stores[0].next(handle(1))?.message.payloadCount == 100_000)
        #expect(log.stores[0].drain(handle(1)) == ["b"])
    }

    @Test func `a slow disk is waited for elsewhere`() throws {
        let log = try LogUnderTest(SimulatedDisk())
        let store = log.stores[0]
        let number = store.makeSession("one")
        for name in ["a", "b"] { store.put(name, number, handle(1)) }
        log.commit()
        log.disk.isCold = true
        for _ in 0..<2 {
            guard case .notYet = store.dequeue(for: handle(1)) else { throw SystemError(code: 0, call: "delivered") }
        }
        var buffer: [UInt8] = []
        log.log.shared.readAhead.serve(&buffer)
        #expect(log.notices.now.filter { $0.notice == .readable(handle(1)) }.count == 1)
        #expect(store.next(handle(1))?.message.topic == "a")
        #expect(store.next(handle(1))?.message.topic == "b")
    }

    @Test func `a message that rotted away is lost, reported and counted, and no other`() throws {
        let log = try LogUnderTest(SimulatedDisk())
        let store = log.stores[0]
        let number = store.makeSession("one")
        for name in ["aaaa", "bbbb", "cccc"] { store.put(name, number, handle(1)) }
        log.commit()
        let file = LogSource.name(ofSegment: 1)
        let bytes = log.disk.bytes(of: file)
        let at = try #require(bytes.indices.dropLast(4).first { bytes[$0..<$0 + 4].elementsEqual("bbbb".utf8) })
        log.disk.flipBit(in: file, byte: at)
        #expect(store.next(handle(1))?.message.topic == "aaaa")
        guard case .lost = store.dequeue(for: handle(1)) else { throw SystemError(code: 0, call: "not lost") }
        #expect(store.next(handle(1))?.message.topic == "cccc")
        guard case .unreadable(let name, _, _) = log.events.now.last else { throw SystemError(code: 0, call: "silent") }
        #expect(name == file)
    }

    @Test func `restarts go on in the same segment`() throws {
        let disk = SimulatedDisk()
        var positions: Set<StorePosition> = []
        for round in 0..<10 {
            let log = try LogUnderTest(disk)
            let number = log.log.takeSessions().first?.number ?? log.stores[0].makeSession("one")
            positions.insert(try #require(log.stores[0].put("m\(round)", number, handle(1))))
            log.commit()
            disk.crash(.losesAll)
        }
        #expect(positions.count == 10)
        #expect(try disk.list().filter { $0.hasSuffix(".log") }.count <= 2)
    }

    @Test(arguments: [false, true])
    func `a stopped log ends in peace, whatever room its segment has left`(wasKilled: Bool) throws {
        for payload in stride(from: 3400, through: 4000, by: 8) {
            let disk = SimulatedDisk()
            do {
                let log = try LogUnderTest(disk)
                _ = log.stores[0].store("m", for: [log.stores[0].makeSession("one")], payload: payload)
                log.commit()
                if !wasKilled { #expect(log.log.close()) }
            }
            if wasKilled {
                disk.crash(.losesAll)
                #expect(try LogSnapshot(of: disk).endsInPeace() == false)
                #expect(try LogUnderTest(disk).log.close())
            }
            #expect(try LogSnapshot(of: disk).endsInPeace() == true, "\(payload)")
            #expect(try LogUnderTest(disk).log.damage.isEmpty)
        }
    }

    @Test func `starts and stops without a write add nothing`() throws {
        let disk = SimulatedDisk()
        do {
            let log = try LogUnderTest(disk)
            _ = log.stores[0].makeSession("one")
            log.commit()
        }
        disk.crash(.losesAll)
        #expect(try LogUnderTest(disk).log.close())
        let once = disk.bytes(of: LogSource.name(ofSegment: 1))
        for _ in 0..<3 { #expect(try LogUnderTest(disk).log.close()) }
        #expect(disk.bytes(of: LogSource.name(ofSegment: 1)) == once)
        let empty = SimulatedDisk()
        #expect(try LogUnderTest(empty).log.close())
        #expect(try LogSnapshot(of: empty).endsInPeace() == nil)
    }

    @Test func `threads write, and an orderly end loses nothing`() throws {
        let folder = try DiskTests.Folder()
        let disk = try FolderDisk(creating: folder.path)
        let time = Timestamp(milliseconds: 5)
        let log = try MessageLog.open(.init(), disk: disk, clock: { time }, events: { _ in })
        let progressed = try WakeUp()
        let store = log.makeStore(shard: 0) { _ in progressed.signal() }
        try log.start()
        let number = store.makeSession("one")
        let position = try #require(store.put("a", number, handle(1)))
        store.handOver()
        while store.committed < position { #expect(progressed.wait(milliseconds: 10_000)) }
        store.put("b", number, handle(1))
        store.handOver()
        #expect(log.close())
        let again = try MessageLog.open(.init(), disk: disk, clock: { time }, events: { _ in })
        #expect(again.takeSessions().map(\.number) == [number])
        let restored = again.makeStore(shard: 0) { _ in }
        #expect(restored.restoreQueue(of: number, to: handle(1)) { _ in nil } == 2)
        #expect(restored.drain(handle(1)) == ["a", "b"])
        again.close()
    }

    // MARK: - Retained messages of a tick that is not over

    private func retain(_ name: String, _ store: LogStore, payload: Int = 0) throws -> Message {
        let header = MessageHeader(qos: .atLeastOnce, retain: true, isKeptAsRetained: true)
        return try #require(store.store(name, for: [], payload: payload, header: header))
    }

    @Test func `a retained message is not lost for a shard that sees it before it was handed over`() throws {
        let log = try LogUnderTest(SimulatedDisk(), shards: 2)
        let (writer, reader) = (log.stores[0], log.stores[1])
        let number = reader.makeSession("one")
        let message = try retain("t", writer)
        _ = reader.assigned(message.position, to: Recipient(session: number, qos: .atLeastOnce))
        let own = handle(1, shard: 1)
        let limits = QueueLimits(messages: .max, bytes: .max)
        _ = reader.enqueue(
            Delivery(message: message, qos: .atLeastOnce, retain: true),
            for: own,
            number,
            limits: limits
        )
        guard case .notYet = reader.dequeue(for: own) else {
            Issue.record("not there, and not to come")
            return
        }
        #expect(log.notices.now.map(\.notice) == [.readable(own)])
        writer.handOver()
        #expect(reader.next(own)?.message.topic == "t")
        #expect(log.log.statistics.unreadable == 0)
    }

    @Test func `a retained message stays replaced when the segment that says so first is gone`() throws {
        let disk = SimulatedDisk()
        let log = try LogUnderTest(disk, shards: 2)
        let number = log.stores[0].makeSession("one")
        log.commit()
        let new = try retain("t", log.stores[0], payload: 3000)
        let old = try retain("t", log.stores[1], payload: 3000)
        _ = log.stores[0].finished(old.position, by: .retained)
        log.stores[0].handOver()
        log.stores[1].handOver()
        log.work()
        for _ in 0..<1000 where log.log.statistics.segmentsVacated == 0 {
            if let message = log.stores[0].store("m", for: [number], payload: 50) {
                _ = log.stores[0].finished(message.position, by: number)
            }
            for (shard, store) in log.stores.enumerated() where store.isVacating {
                if shard == 0, store.mustRecordAgain(number) {
                    _ = store.record(.state(SessionRecord(clientID: "one", expirySeconds: 60)), of: number)
                }
                if shard == 0 { store.keep(new.position, for: Recipient(session: .retained, qos: .atLeastOnce)) }
                store.vacated()
            }
            log.commit()
        }
        #expect(log.log.statistics.segmentsVacated == 1)
        disk.crash(.losesAll)
        #expect(try LogUnderTest(disk).log.retained == [new.position])
    }

    // MARK: - Batches and segments

    @Test func `a large state stands in one batch`() throws {
        let disk = SimulatedDisk()
        let log = try LogUnderTest(disk, options: LogOptions())
        let store = log.stores[0]
        let number = store.makeSession("one")
        log.commit()
        _ = store.record(.state(SessionRecord(clientID: "one", expirySeconds: 60)), of: number)
        var last = StorePosition.none
        for index in 0..<150 {
            let filter = try TopicFilter(String(repeating: "x", count: 60_000) + "/\(index)")
            let subscription = StoredSubscription(filter: filter, options: .init(qos: .atLeastOnce), identifier: 0)
            last = store.record(.subscribed(subscription), of: number)
        }
        #expect(log.log.shared.exchange.withLock { $0.handed.count } == 0)
        store.handOver()
        #expect(log.log.shared.exchange.withLock { $0.handed.count } == 1)
        log.work()
        #expect(last <= store.committed)
        // A message does not go so far behind the beginning of a batch that its place has no number.
        let position = try #require(store.put("m", number, handle(1)))
        #expect(position > last)
        log.commit()
        disk.crash(.losesAll)
        let again = try LogUnderTest(disk, options: LogOptions())
        #expect(again.log.takeSessions().first?.subscriptions.count == 150)
        #expect(again.stores[0].restoreQueue(of: number, to: handle(1)) { _ in nil } == 1)
        #expect(again.stores[0].drain(handle(1)) == ["m"])
    }

    @Test func `a segment that nothing was written to gives its number to the next`() throws {
        let disk = SimulatedDisk()
        let log = try LogUnderTest(disk)
        let number = log.stores[0].makeSession("one")
        log.stores[0].put("large", number, handle(1), payload: 10_000)
        log.commit()
        #expect(try disk.list().compactMap { LogSource.number(ofFile: $0) } == [1])
    }

    @Test(arguments: [0, 4096])
    func `a segment at the end that lost its header gives its number to the next`(bytes: Int) throws {
        let disk = SimulatedDisk()
        var log: LogUnderTest? = try LogUnderTest(disk)
        let number = try #require(log?.stores[0].makeSession("one"))
        log?.commit()
        log = nil
        try disk.open(LogSource.name(ofSegment: 2), .creating).allocate(bytes)
        disk.crash(.keepsAll)
        let again = try LogUnderTest(disk)
        for index in 0..<100 {
            again.stores[0].put("m\(index)", number, handle(1), payload: 100)
            again.commit()
        }
        disk.crash(.losesAll)
        let last = try LogUnderTest(disk)
        #expect(last.log.damage.isEmpty)
        #expect(last.stores[0].restoreQueue(of: number, to: handle(1)) { _ in nil } == 100)
    }
}
