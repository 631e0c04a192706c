import ApusLocks
import ApusLoop
import ApusMessage
import ApusStore
import MQTTCodec
import Synchronization
import Testing

@testable import ApusLog

/// Shards on threads of their own, the writer's and the reader's threads, and a real folder.
@Suite("Threads of a log")
struct ThreadTests {
    /// One shard: stores a message in each turn, for its own session, and takes most of them out again.
    private final class Worker: @unchecked Sendable {
        let index: Int
        let wakeUp: WakeUp
        private let notices = Guarded<[StoreNotice]>([])
        var store: LogStore?
        var left: [String] = []
        var number = SessionNumber.none
        let isDone = Atomic<Bool>(false)

        init(_ index: Int) throws {
            self.index = index
            wakeUp = try WakeUp()
        }

        func notify(_ notice: StoreNotice) {
            notices.withLock { $0.append(notice) }
            wakeUp.signal()
        }

        /// - Parameter isOver: whether nobody needs this shard's answers any more.
        func run(_ turns: Int, until isOver: @Sendable () -> Bool) {
            guard let store else { return }
            let handle = handle(1, shard: index)
            number = store.makeSession("client \(index)")
            var expected: [String] = []
            var last = StorePosition.none
            for turn in 0..<turns {
                for part in 0..<20 {
                    let name = "\(index).\(turn).\(part)"
                    guard store.put(name, number, handle, payload: 200) != nil else { continue }
                    expected.append(name)
                }
                while expected.count > 500 {
                    switch store.dequeue(for: handle) {
                    case .delivery(let delivery):
                        #expect(delivery.message.topic == expected.removeFirst())
                        last = store.finished(delivery.position, by: number)
                    case .notYet: tick(store, handle)
                    case .empty, .expired, .lost:
                        Issue.record("a message is lost")
                        return
                    }
                }
                tick(store, handle)
                while store.isBehind { tick(store, handle) }
            }
            store.handOver()
            while store.committed < last {
                _ = wakeUp.wait(milliseconds: 10)
                tick(store, handle)
            }
            left = expected
            isDone.store(true, ordering: .sequentiallyConsistent)
            // The others' segments are vacated only with this shard's help.
            for _ in 0..<2000 where !isOver() {
                _ = wakeUp.wait(milliseconds: 10)
                tick(store, handle)
            }
        }

        private func tick(_ store: LogStore, _ handle: SessionHandle) {
            notices.withLock { $0 = [] }
            if store.isVacating {
                if store.mustRecordAgain(number) {
                    _ = store.record(.state(SessionRecord(clientID: "client \(index)", expirySeconds: 60)), of: number)
                }
                store.keepWholeQueue(of: handle)
                store.vacated()
            }
            store.handOver()
            _ = store.committed
        }
    }

    @Test(arguments: [LogOptions.Durability.power, .process])
    func `shards that work at the same time lose nothing`(durability: LogOptions.Durability) throws {
        let folder = try DiskTests.Folder()
        let disk = try FolderDisk(creating: folder.path)
        var options = LogOptions()
        options.segmentBytes = 256 << 10
        options.durability = durability
        let events = LogUnderTest.Box<[LogEvent]>([])
        let clock = Clock()
        let log = try MessageLog.open(
            options,
            disk: disk,
            clock: { Timestamp(milliseconds: clock.now()) },
            events: { event in events.value.withLock { $0.append(event) } },
        )
        let workers = try (0..<2).map { try Worker($0) }
        for worker in workers { worker.store = log.makeStore(shard: worker.index) { worker.notify($0) } }
        try log.start()
        let (one, other) = (workers[0], workers[1])
        let isOver: @Sendable () -> Bool = {
            one.isDone.load(ordering: .sequentiallyConsistent) && other.isDone.load(ordering: .sequentiallyConsistent)
                && log.statistics.segmentsVacated > 0
        }
        let thread = try NativeThread(name: "shard-1") { other.run(600, until: isOver) }
        one.run(600, until: isOver)
        thread.join()
        #expect(log.close())
        #expect(log.statistics.segmentsVacated > 0)
        #expect(log.statistics.unreadable == 0)
        let again = try MessageLog.open(options, disk: disk, clock: { Timestamp(milliseconds: 1) }, events: { _ in })
        #expect(again.takeSessions().count == 2)
        for worker in workers {
            let store = again.makeStore(shard: worker.index) { _ in }
            let handle = handle(1, shard: worker.index)
            _ = store.restoreQueue(of: worker.number, to: handle) { _ in nil }
            #expect(store.drain(handle) == worker.left)
        }
        again.close()
    }
}
