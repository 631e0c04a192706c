import ApusMessage
import ApusStore
import ApusTopics

/// The store in memory, for a test to override what it wants to watch or to change.
///
/// Used on one thread.
class ForwardingStore: MessageStore, @unchecked Sendable {
    let memory = MemoryStore()

    func beginMessage(
        _ header: MessageHeader,
        topic: Span<UInt8>,
        properties: Span<UInt8>,
        payload: Span<UInt8>,
    ) -> Bool {
        memory.beginMessage(header, topic: topic, properties: properties, payload: payload)
    }

    func addRecipient(_ recipient: Recipient) { memory.addRecipient(recipient) }
    func endMessage() -> StorePosition { memory.endMessage() }
    var refusal: StoreRefusal? { memory.refusal }

    func assigned(_ position: StorePosition, to recipient: Recipient) -> StorePosition {
        memory.assigned(position, to: recipient)
    }

    func finished(_ position: StorePosition, by session: SessionNumber) -> StorePosition {
        memory.finished(position, by: session)
    }

    func newSessionNumber() -> SessionNumber { memory.newSessionNumber() }

    func record(_ change: SessionChange, of session: SessionNumber) -> StorePosition {
        memory.record(change, of: session)
    }

    var committed: StorePosition { memory.committed }
    func handOver() { memory.handOver() }
    var isBehind: Bool { memory.isBehind }
    var isStalled: Bool { memory.isStalled }

    func enqueue(
        _ delivery: Delivery,
        for session: SessionHandle,
        _ number: SessionNumber,
        limits: QueueLimits,
    ) -> [MessageNumber] { memory.enqueue(delivery, for: session, number, limits: limits) }

    func dequeue(for session: SessionHandle) -> Dequeued { memory.dequeue(for: session) }
    func backlog(of session: SessionHandle) -> (messages: Int, bytes: Int) { memory.backlog(of: session) }

    var waitingTotal: QueueTotal { memory.waitingTotal }

    func takeShared(from session: SessionHandle, where condition: (SharedGroup) -> Bool) -> [Delivery] {
        memory.takeShared(from: session, where: condition)
    }

    func sessionEnded(
        _ session: SessionHandle,
        _ number: SessionNumber,
    ) -> (shared: [Delivery], others: [MessageNumber]) {
        memory.sessionEnded(session, number)
    }

    func restoreQueue(
        of session: SessionNumber,
        to handle: SessionHandle,
        group: (TopicFilter) -> SharedGroup?,
    ) -> Int { memory.restoreQueue(of: session, to: handle, group: group) }

    func load(_ position: StorePosition, for recipient: Recipient) -> Delivery? {
        memory.load(position, for: recipient)
    }

    var isVacating: Bool { memory.isVacating }
    func mustRecordAgain(_ session: SessionNumber) -> Bool { memory.mustRecordAgain(session) }
    func keepQueue(of session: SessionHandle, from place: UInt64, limit: Int) -> UInt64? {
        memory.keepQueue(of: session, from: place, limit: limit)
    }
    func keep(_ position: StorePosition, for recipient: Recipient) { memory.keep(position, for: recipient) }
    func vacated() { memory.vacated() }
}
