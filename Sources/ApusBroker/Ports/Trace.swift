package import ApusMessage

/// One event of the trace: what happened to a connection or a message, and when.
package struct TraceEvent: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        /// CONNECT was accepted.
        case connected
        /// CONNECT was refused; `detail` says why.
        case refused
        /// The client sent DISCONNECT.
        case disconnected
        /// The connection ended otherwise; `detail` says why.
        case closed
        /// A message came from a client, or from the broker for it: a will.
        case published
        /// A message came through management; the client id is the name of who sent it there.
        case publishedByService
        /// A message went to a client.
        case delivered
        /// A message that had waited went to a client.
        case deliveredOffline
        /// A client has acknowledged a message.
        case acknowledged
        /// A message waits for a client that is away.
        case stored
        /// A message will not reach a client; `detail` is the ``DropReason``.
        case dropped
    }

    package var kind: Kind
    /// Unix milliseconds.
    package var time: Int64
    package var clientID: String
    /// 32 hexadecimal digits: of the connection for its own events.
    package var channelID: String
    /// 32 upper-case hexadecimal digits; empty for events of connections.
    package var messageID: String
    package var topic: String
    /// Of a connection the documented reason (apsaramq-facts 3.4), of a drop the name of its ``DropReason``.
    package var detail: String
    /// A sentence for people; empty for most.
    package var explanation: String

    package init(
        kind: Kind,
        time: Int64,
        clientID: String,
        channelID: String = "",
        messageID: String = "",
        topic: String = "",
        detail: String = "",
        explanation: String = "",
    ) {
        self.kind = kind
        self.time = time
        self.clientID = clientID
        self.channelID = channelID
        self.messageID = messageID
        self.topic = topic
        self.detail = detail
        self.explanation = explanation
    }
}

/// What to look for in the trace.
///
/// The trace is walked in slices, whatever is asked for, so that no shard is kept from its clients.
package struct TraceQuery: Sendable {
    package var instance: InstanceNumber
    package var kinds: Set<TraceEvent.Kind>
    package var clientID: String?
    package var messageID: String?
    /// Unix milliseconds, both inclusive.
    package var from: Int64
    package var until: Int64
    /// Events to pass over.
    package var offset: Int
    /// 1 … 1,000.
    package var limit: Int
    package var newestFirst: Bool

    package init(
        instance: InstanceNumber,
        kinds: Set<TraceEvent.Kind>,
        clientID: String? = nil,
        messageID: String? = nil,
        from: Int64,
        until: Int64,
        offset: Int = 0,
        limit: Int,
        newestFirst: Bool = false,
    ) {
        self.instance = instance
        self.kinds = kinds
        self.clientID = clientID
        self.messageID = messageID
        self.from = from
        self.until = until
        self.offset = offset
        self.limit = limit
        self.newestFirst = newestFirst
    }
}

/// A page of the trace.
package struct TracePage: Sendable, Equatable {
    package var events: [TraceEvent]
    /// How many match in all.
    package var total: Int

    package init(events: [TraceEvent], total: Int) {
        self.events = events
        self.total = total
    }
}
