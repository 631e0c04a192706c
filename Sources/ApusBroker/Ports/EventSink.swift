/// How serious an event is.
package enum EventLevel: UInt8, Sendable {
    case debug, info, notice, warning, error
}

/// Something that an operator may want to read: a stable name and plain fields.
///
/// Never holds payloads, passwords or tokens.
package struct BrokerEvent: Sendable {
    package var level: EventLevel
    /// Stable, as subject and verb; `client.connected`, for one.
    package var name: String
    /// Ordered; keys are `lower_snake_case`.
    package var fields: [(String, String)]

    package init(_ level: EventLevel, _ name: String, _ fields: [(String, String)]) {
        self.level = level
        self.name = name
        self.fields = fields
    }
}

/// Takes events; called on shard threads, so it must neither block nor throw away silently.
package protocol EventSink: Sendable {
    func record(_ event: BrokerEvent)
}
