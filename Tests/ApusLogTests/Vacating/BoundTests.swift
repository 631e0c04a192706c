import ApusLocks
import ApusLoop
import ApusMessage
import ApusStore
import MQTTCodec
import Testing

@testable import ApusLog

/// A log that is used for long stays as large as what lives in it.
@Suite("Bounds of a log")
struct BoundTests {
    private func turn(_ log: LogUnderTest, _ session: SessionNumber, _ handle: SessionHandle) {
        name(log.stores[0], session, handle)
        log.commit()
    }

    /// Tells the store what is needed, when it asks.
    private func name(_ store: LogStore, _ session: SessionNumber, _ handle: SessionHandle) {
        guard store.isVacating else { return }
        if store.mustRecordAgain(session) {
            _ = store.record(.state(SessionRecord(clientID: "one", expirySeconds: 60)), of: session)
        }
        store.keepWholeQueue(of: handle)
        store.vacated()
    }

    @Test(arguments: [0, 10, 200])
    func `steady traffic with a backlog leaves a bounded log`(backlog: Int) throws {
        let disk = SimulatedDisk()
        let log = try LogUnderTest(disk)
        let store = log.stores[0]
        let number = store.makeSession("one")
        for index in 0..<backlog { store.put("old \(index)", number, handle(1), payload: 50) }
        var largest = 0
        for index in 0..<5000 {
            store.put("m\(index)", number, handle(2), payload: 50)
            if let delivery = store.next(handle(2)) { _ = store.finished(delivery.position, by: number) }
            if index % 5 == 0 {
                if store.isVacating { store.keepWholeQueue(of: handle(1)) }
                turn(log, number, handle(2))
            }
            largest = max(largest, disk.usedBytes)
        }
        // Four segments, or twice the backlog and two, with the one that is vacated, the active one and the two in reserve.
        #expect(largest < max(9 * 4096, 2 * backlog * 180 + 9 * 4096), "\(largest)")
        #expect(log.log.statistics.segmentsVacated > 50)
        #expect(store.drain(handle(1)) == (0..<backlog).map { "old \($0)" })
        #expect(log.log.statistics.unreadable == 0)
    }

    @Test func `traffic that never rests while the disk works leaves a bounded log`() throws {
        let disk = SimulatedDisk()
        var options = LogOptions()
        options.segmentBytes = 32 << 10
        let log = try LogUnderTest(disk, options: options)
        let store = log.stores[0]
        let number = store.makeSession("one")
        store.handOver()
        disk.whileSynchronizing = {
            store.put("m", number, handle(1), payload: 500)
            if let delivery = store.next(handle(1)) { _ = store.finished(delivery.position, by: number) }
            self.name(store, number, handle(1))
            store.handOver()
        }
        var largest = 0
        for _ in 0..<3000 {
            _ = log.log.writer.step()
            largest = max(largest, disk.usedBytes)
        }
        disk.whileSynchronizing = {}
        #expect(largest < 8 * options.segmentBytes, "\(largest)")
        #expect(log.log.statistics.segmentsVacated > 20)
        #expect(log.log.statistics.unreadable == 0)
    }

    @Test func `a store that reads no more does not hold on to segments that are gone`() throws {
        let log = try LogUnderTest(SimulatedDisk())
        let store = log.stores[0]
        let number = store.makeSession("one")
        store.put("first", number, handle(1))
        log.commit()
        #expect(store.drain(handle(1)) == ["first"])
        weak let first = log.log.shared.exchange.withLock { $0.places.files[1] } as AnyObject?
        #expect(first != nil)
        for _ in 0..<500 {
            if let message = store.store("m", for: [number], payload: 50) {
                _ = store.finished(message.position, by: number)
            }
            turn(log, number, handle(1))
        }
        #expect(log.log.statistics.segmentsVacated > 0)
        #expect(first == nil)
    }

    @Test func `a large backlog that was finished gives its space back at once`() throws {
        let disk = SimulatedDisk()
        let log = try LogUnderTest(disk)
        let store = log.stores[0]
        let number = store.makeSession("one")
        for index in 0..<2000 {
            store.put("m\(index)", number, handle(1), payload: 100)
            if index % 10 == 0 { turn(log, number, handle(1)) }
        }
        let before = disk.usedBytes
        while let delivery = store.next(handle(1)) {
            _ = store.finished(delivery.position, by: number)
            if store.backlog(of: handle(1)).messages % 10 == 0 { turn(log, number, handle(1)) }
        }
        for _ in 0..<1000 { turn(log, number, handle(1)) }
        #expect(before > 50 * 4096)
        #expect(disk.usedBytes < 10 * 4096)
    }

    /// An offline session pins the oldest messages; all others are taken one after the other, or from all over the log.
    @Test(arguments: [0, 60, 120, 300, 700], [1, 3, 10, 40])
    func `a full log goes on by itself when most of it is dead`(pinned: Int, acknowledgedTogether: Int) throws {
        for isInOrder in [true, false] {
            let disk = SimulatedDisk()
            var options = LogOptions()
            options.segmentBytes = 32 << 10
            options.maximumBytes = 16 * options.segmentBytes
            let log = try LogUnderTest(disk, options: options)
            let store = log.stores[0]
            let number = store.makeSession("one")
            func turn() {
                if store.isVacating { store.keepWholeQueue(of: handle(2)) }
                self.turn(log, number, handle(1))
            }
            for index in 0..<pinned {
                store.put("old \(index)", number, handle(1), payload: 200)
                if index % 5 == 0 { turn() }
            }
            var count = 0
            while store.put("m", number, handle(2), payload: 200) != nil {
                count += 1
                if count % 5 == 0 { turn() }
            }
            #expect(log.log.statistics.state == .full)
            var waiting: [StorePosition] = []
            if !isInOrder {
                while let delivery = store.next(handle(2)) { waiting.append(delivery.position) }
                var random = SeededGenerator(seed: 1)
                waiting.shuffle(using: &random)
            }
            var finished = 0
            for index in 0..<count where index % 8 != 0 || isInOrder {
                let position = isInOrder ? store.next(handle(2))?.position : waiting[index]
                _ = store.finished(try #require(position), by: number)
                finished += 1
                guard finished % acknowledgedTogether == 0 else { continue }
                if store.isVacating {
                    let recipient = Recipient(session: number, qos: .atLeastOnce)
                    for position in waiting[min(index + 1, waiting.count)...] { store.keep(position, for: recipient) }
                    for place in stride(from: 0, through: min(index, waiting.count - 1), by: 8) {
                        store.keep(waiting[place], for: recipient)
                    }
                }
                turn()
            }
            for _ in 0..<200 {
                log.pass(milliseconds: 1000)
                turn()
            }
            #expect(log.log.statistics.state == .running, "\(isInOrder) \(log.log.statistics)")
            #expect(disk.usedBytes <= options.maximumBytes + 200)
            #expect(store.put("new", number, handle(1)) != nil)
            #expect(store.drain(handle(1)) == (0..<pinned).map { "old \($0)" } + ["new"])
        }
    }

    @Test func `sessions alone do not make the log go round`() throws {
        let log = try LogUnderTest(SimulatedDisk())
        let store = log.stores[0]
        let sessions = (0..<500).map { store.makeSession("client \($0)") }
        for _ in 0..<200 {
            if store.isVacating {
                for (index, session) in sessions.enumerated() where store.mustRecordAgain(session) {
                    _ = store.record(.state(SessionRecord(clientID: "client \(index)", expirySeconds: 60)), of: session)
                }
                store.vacated()
            }
            log.commit()
        }
        #expect(log.log.statistics.segmentsVacated <= 2)
    }

    @Test func `a damaged message counts as unreadable, not as too old, when its segment is gone`() throws {
        let disk = SimulatedDisk()
        var options = LogUnderTest.small
        options.messageRetentionSeconds = 600
        let log = try LogUnderTest(disk, options: options)
        let store = log.stores[0]
        let number = store.makeSession("one")
        store.put("damaged", number, handle(1), payload: 100)
        log.commit()
        let name = LogSource.name(ofSegment: 1)
        let place = try #require(disk.bytes(of: name).firstRange(of: Array("damaged".utf8)))
        disk.flipBit(in: name, byte: place.lowerBound)
        for index in 0..<500 where log.log.statistics.segmentsVacated == 0 {
            store.put("m\(index)", number, handle(2), payload: 100)
            if let delivery = store.next(handle(2)) { _ = store.finished(delivery.position, by: number) }
            if store.isVacating { store.keepWholeQueue(of: handle(1)) }
            turn(log, number, handle(2))
        }
        guard case .lost = store.dequeue(for: handle(1)) else {
            Issue.record("not counted as unreadable")
            return
        }
        #expect(log.log.statistics.unreadable == 1)
    }

    @Test func `messages beyond the retention are given up, others and retained ones are not`() throws {
        let disk = SimulatedDisk()
        var options = LogUnderTest.small
        options.messageRetentionSeconds = 60
        let log = try LogUnderTest(disk, options: options)
        let store = log.stores[0]
        let number = store.makeSession("one")
        let header = MessageHeader(qos: .atLeastOnce, retain: true, isKeptAsRetained: true)
        let retained = try #require(store.store("retained", for: [], header: header))
        for index in 0..<20 { store.put("old \(index)", number, handle(1), payload: 100) }
        log.commit()
        for index in 0..<200 {
            log.pass(milliseconds: 1000)
            store.put("m\(index)", number, handle(2), payload: 100)
            if let delivery = store.next(handle(2)) { _ = store.finished(delivery.position, by: number) }
            if store.isVacating {
                store.keep(retained.position, for: Recipient(session: .retained, qos: .atLeastOnce, retain: true))
                store.keepWholeQueue(of: handle(1))
            }
            turn(log, number, handle(2))
        }
        #expect(log.log.statistics.messagesRetired == 20)
        let reported = log.events.now.reduce(0) { sum, event in
            if case .retired(let messages) = event { sum + messages } else { sum }
        }
        #expect(reported == 20)
        guard case .expired = store.dequeue(for: handle(1)) else {
            Issue.record("an old message is still there")
            return
        }
        let recipient = Recipient(session: .retained, qos: .atLeastOnce, retain: true)
        #expect(store.load(retained.position, for: recipient)?.message.topic == "retained")
        disk.crash(.losesAll)
        let again = try LogUnderTest(disk, options: options)
        #expect(again.log.retained == [retained.position])
        #expect(again.stores[0].restoreQueue(of: number, to: handle(1)) { _ in nil } == 0)
    }
}
