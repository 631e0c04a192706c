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
        /// A number as messages have, that no message and no other connection has; `.none` before CONNECT.
        let channel: MessageNumber
        let detail: String
        let explanation: String

        init(channel: MessageNumber, detail: String, explanation: String) {
            self.channel = channel
            self.detail = detail
            self.explanation = explanation
        }
    }

    private var entries: [Entry] = []
    /// Where the next entry goes once the ring is full.
    private var next = 0
    /// Entries that ever came.
    private var appended: UInt64 = 0
    let capacity: Int

    /// - Parameter capacity: 0 keeps nothing.
    init(capacity: Int) { self.capacity = capacity }

    mutating func append(_ entry: consuming Entry) {
        appended += 1
        if entries.count < capacity {
            entries.append(entry)
        } else if capacity > 0 {
            entries[next] = entry
            next = next + 1 == capacity ? 0 : next + 1
        }
    }

    /// What is asked for among the next entries, oldest first, and where to go on; `nil` at the end.
    ///
    /// - Parameter start: 0, or where the slice before said to go on. Entries that made room in between are passed over, and
    ///   entries that came in between belong to a later walk: `end` of the first slice bounds the walk.
    func slice(of selection: TraceSelection, from start: UInt64, until end: UInt64?) -> Slice {
        let oldest = appended - UInt64(entries.count)
        let end = min(end ?? appended, appended)
        var found: [Entry] = []
        var at = max(start, oldest)
        let stop = min(end, at + Self.entriesPerSlice)
        while at < stop {
            // Looked at in place: a copy of an entry counts three references.
            let index = place(of: at, oldest)
            if selection.holds(
                entries[index].instance,
                entries[index].number,
                entries[index].time,
                entries[index].kind
            ),
                selection.isOf(entries[index].clientID)
            {
                found.append(entries[index])
            }
            at += 1
        }
        return Slice(entries: found, next: at < end ? at : nil, end: end)
    }

    /// A part of a walk over the ring.
    struct Slice: Sendable {
        var entries: [Entry]
        var next: UInt64?
        var end: UInt64
    }

    /// Entries looked at before other work comes first: some ten microseconds.
    private static var entriesPerSlice: UInt64 { 4_096 }

    /// Where the entry stands that so many were appended before.
    private func place(of number: UInt64, _ oldest: UInt64) -> Int {
        let place = next + Int(number - oldest)
        return place < entries.count ? place : place - entries.count
    }
}

/// A ``TraceQuery`` in the form that is compared fastest.
struct TraceSelection: Sendable {
    private let instance: InstanceNumber
    private let number: MessageNumber?
    private let from: Int64
    private let until: Int64
    /// A bit for each kind.
    private let kinds: UInt32
    private let clientID: ExactText?

    /// - Parameter number: what the query's `messageID` stands for.
    init(_ query: TraceQuery, number: MessageNumber?) {
        instance = query.instance
        self.number = number
        from = query.from
        until = query.until
        kinds = query.kinds.reduce(0) { $0 | Self.bit($1) }
        clientID = query.clientID.map { ExactText($0) }
    }

    func holds(_ instance: InstanceNumber, _ number: MessageNumber, _ time: Int64, _ kind: TraceEvent.Kind) -> Bool {
        instance == self.instance && (self.number == nil || number == self.number) && time >= from && time <= until
            && kinds & Self.bit(kind) != 0
    }

    func isOf(_ clientID: String) -> Bool {
        guard let wanted = self.clientID else { return true }
        return wanted == ExactText(clientID)
    }

    private static func bit(_ kind: TraceEvent.Kind) -> UInt32 { 1 << UInt32(kind.ordinal) }
}

extension TraceEvent.Kind {
    fileprivate var ordinal: Int {
        switch self {
        case .connected: 0
        case .refused: 1
        case .disconnected: 2
        case .closed: 3
        case .published: 4
        case .publishedByService: 5
        case .delivered: 6
        case .deliveredOffline: 7
        case .acknowledged: 8
        case .stored: 9
        case .dropped: 10
        }
    }
}

extension TraceEvent {
    init(_ entry: TraceRing.Entry, epoch: UInt64) {
        self.init(
            kind: entry.kind,
            time: entry.time,
            clientID: entry.clientID,
            channelID: (entry.connection?.channel).map { $0 == .none ? "" : $0.text(epoch: epoch) } ?? "",
            messageID: entry.number == .none ? "" : entry.number.text(epoch: epoch),
            topic: String(decoding: entry.topic, as: UTF8.self),
            detail: entry.drop?.name ?? entry.connection?.detail ?? "",
            explanation: entry.connection?.explanation ?? "",
        )
    }
}
