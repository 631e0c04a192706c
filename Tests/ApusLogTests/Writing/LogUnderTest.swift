import ApusLocks
import ApusLoop
import ApusMessage
import ApusStore
import ApusTopics
import MQTTCodec

@testable import ApusLog

/// A log on a simulated disk, its writer driven by hand.
final class LogUnderTest {
    let disk: SimulatedDisk
    let log: MessageLog
    let stores: [LogStore]
    let events: Box<[LogEvent]>
    let notices: Box<[(shard: Int, notice: StoreNotice)]>
    let time: Box<Timestamp>

    final class Box<Value: Sendable>: Sendable {
        let value: Guarded<Value>
        init(_ value: Value) { self.value = Guarded(value) }
        var now: Value { value.withLock { $0 } }
    }

    init(
        _ disk: SimulatedDisk,
        shards: Int = 1,
        options: LogOptions = LogUnderTest.small,
        time: Timestamp = Timestamp(milliseconds: 1_000_000),
    ) throws(LogError) {
        let events = Box<[LogEvent]>([])
        let notices = Box<[(shard: Int, notice: StoreNotice)]>([])
        let clock = Box(time)
        log = try MessageLog.open(
            options,
            disk: disk,
            clock: { clock.now },
            events: { event in events.value.withLock { $0.append(event) } }
        )
        stores = (0..<shards).map { [log] shard in
            log.makeStore(shard: shard) { notice in notices.value.withLock { $0.append((shard, notice)) } }
        }
        (self.disk, self.events, self.notices, self.time) = (disk, events, notices, clock)
    }

    static var small: LogOptions {
        var options = LogOptions()
        options.segmentBytes = 4096
        return options
    }

    /// Hands over on all shards and lets the writer work as long as it finds something to do.
    func commit() {
        for store in stores { store.handOver() }
        work()
    }

    func work() {
        for _ in 0..<1000 where !log.writer.step().isBusy { return }
    }

    func pass(milliseconds: Int64) { time.value.withLock { $0 = $0.adding(milliseconds: milliseconds) } }
}

extension LogStore {
    /// Begins a session.
    func makeSession(_ name: String) -> SessionNumber {
        let number = newSessionNumber()
        _ = record(.state(SessionRecord(clientID: name, expirySeconds: 60)), of: number)
        return number
    }

    /// Stores a message for sessions; `nil` when it is refused.
    func store(
        _ name: String,
        for sessions: [SessionNumber],
        payload: Int = 0,
        qos: QoS = .atLeastOnce,
        header: MessageHeader? = nil,
    ) -> Message? {
        let message = Message(topic: name, payload: [UInt8](repeating: 7, count: payload), qos: qos)
        let bytes = message.bytes
        let isTaken = beginMessage(
            header ?? MessageHeader(qos: qos, retain: false),
            topic: bytes.span.extracting(0..<message.topicEnd),
            properties: bytes.span.extracting(message.topicEnd..<message.propertiesEnd),
            payload: bytes.span.extracting(message.propertiesEnd..<bytes.count),
        )
        guard isTaken else { return nil }
        for session in sessions { addRecipient(Recipient(session: session, qos: qos)) }
        return message.stored(at: endMessage())
    }

    /// Stores a message for one session and puts it in its queue.
    @discardableResult
    func put(_ name: String, _ number: SessionNumber, _ handle: SessionHandle, payload: Int = 0) -> StorePosition? {
        guard let message = store(name, for: [number], payload: payload) else { return nil }
        let delivery = Delivery(message: message, qos: .atLeastOnce, retain: false)
        _ = enqueue(delivery, for: handle, number, limits: QueueLimits(messages: .max, bytes: .max))
        return message.position
    }

    func next(_ handle: SessionHandle) -> Delivery? {
        guard case .delivery(let delivery) = dequeue(for: handle) else { return nil }
        return delivery
    }

    func drain(_ handle: SessionHandle) -> [String] {
        var names: [String] = []
        while let delivery = next(handle) { names.append(delivery.message.topic) }
        return names
    }
}

func handle(_ slot: Int, shard: Int = 0) -> SessionHandle { SessionHandle(shard: shard, slot: slot, generation: 1) }
