internal import ApusBroker

/// What became of one message, receiver by receiver, as far as the trace remembers it.
///
/// The trace is a ring for each shard (`trace.events`) that ends with the process: what it says was so, and what it does not
/// say is not known any more, or has not happened.
struct DeliveryReceipt {
    /// The last that is known of a message on its way to a receiver.
    enum State: String, CaseIterable {
        /// It waits for a client that is away.
        case stored
        /// It was sent to the client; at QoS 0 nothing follows.
        case delivered
        /// The client has acknowledged it.
        case acknowledged
        /// Its time was over before it could be sent.
        case expired
        /// It will not reach the client, for another reason.
        case dropped
    }

    struct Receiver {
        var clientID: String
        var state: State
        /// Of the state; Unix milliseconds.
        var time: Int64
        /// Of the last time that it was stored, sent and acknowledged.
        var storedAt: Int64?
        var deliveredAt: Int64?
        var acknowledgedAt: Int64?
        /// Why it was dropped or has expired: the name of the drop reason.
        var reason = ""
    }

    /// `nil` when the trace has forgotten it.
    private(set) var published: TraceEvent?
    /// In the order in which anything first happened to them.
    private(set) var receivers: [Receiver] = []

    /// - Parameter events: of one message, oldest first.
    init(_ events: [TraceEvent]) {
        var places: [[UInt8]: Int] = [:]
        for event in events {
            guard let state = State(event) else {
                if TraceWords.ofPublishing.contains(event.kind) { published = event }
                continue
            }
            // A message that was not retained: no client is meant.
            if event.clientID.isEmpty { continue }
            let key = Array(event.clientID.utf8)
            let place = places[key] ?? receivers.count
            if place == receivers.count {
                places[key] = place
                receivers.append(Receiver(clientID: event.clientID, state: state, time: event.time))
            }
            receivers[place].state = state
            receivers[place].time = event.time
            receivers[place].reason = event.detail
            switch state {
            case .stored: receivers[place].storedAt = event.time
            case .delivered: receivers[place].deliveredAt = event.time
            case .acknowledged: receivers[place].acknowledgedAt = event.time
            case .expired, .dropped: break
            }
        }
    }
}

extension DeliveryReceipt.State {
    /// `nil` for what happens to no receiver.
    fileprivate init?(_ event: TraceEvent) {
        switch event.kind {
        case .stored: self = .stored
        case .delivered, .deliveredOffline: self = .delivered
        case .acknowledged: self = .acknowledged
        case .dropped: self = event.detail == "expired" ? .expired : .dropped
        case .published, .publishedByService, .connected, .refused, .disconnected, .closed: return nil
        }
    }
}
