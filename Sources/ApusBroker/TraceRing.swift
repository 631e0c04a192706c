internal import ApusMessage

/// The last events of one shard: a ring that never grows, the oldest making room.
struct TraceRing: Sendable {
    /// An event as it is kept: texts by reference only, so that an event costs a few stores.
    struct Entry: Sendable {
        var time: Int64
        var number: MessageNumber
        var instance: InstanceNumber
        var kind: TraceEvent.Kind
        var drop: DropReason?
        var clientID: String
        var topic: [UInt8]
        /// Of connections: their channel, and why they ended.
        var connection: ConnectionEvent?
    }

    /// What only events of connections have.
    final class ConnectionEvent: Sendable {
        let channelID: String
        let detail: String
        let explanation: String

        init(channelID: String, detail: String, explanation: String) {
            self.channelID = channelID
            self.detail = detail
            self.explanation = explanation
        }
    }

    private var entries: [Entry] = []
    /// Where the next entry goes once the ring is full.
    private var next = 0
    let capacity: Int

    /// - Parameter capacity: 0 keeps nothing.
    init(capacity: Int) { self.capacity = capacity }

    mutating func append(_ entry: consuming Entry) {
        if entries.count < capacity {
            entries.append(entry)
        } else if capacity > 0 {
            entries[next] = entry
            next = next + 1 == capacity ? 0 : next + 1
        }
    }

    /// What matches, oldest first.
    func entries(where condition: (Entry) -> Bool) -> [Entry] {
        (entries[next...] + entries[..<next]).filter(condition)
    }
}

extension TraceQuery {
    /// Whether an entry is asked for.
    ///
    /// - Parameter number: what `messageID` stands for.
    func matches(_ entry: TraceRing.Entry, number: MessageNumber?) -> Bool {
        entry.instance == instance && kinds.contains(entry.kind) && entry.time >= from && entry.time <= until
            && (number == nil || entry.number == number)
            && (clientID == nil || clientID?.utf8.elementsEqual(entry.clientID.utf8) == true)
    }
}

extension TraceEvent {
    init(_ entry: TraceRing.Entry, epoch: UInt64) {
        self.init(
            kind: entry.kind,
            time: entry.time,
            clientID: entry.clientID,
            channelID: entry.connection?.channelID ?? "",
            messageID: entry.number == .none ? "" : entry.number.text(epoch: epoch),
            topic: String(decoding: entry.topic, as: UTF8.self),
            detail: entry.drop?.name ?? entry.connection?.detail ?? "",
            explanation: entry.connection?.explanation ?? "",
        )
    }
}
