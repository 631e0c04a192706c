internal import ApusBroker

/// How the vendor's trace actions name events (apsaramq-facts 4.3).
struct TraceWords {
    var action: String
    var code: String
    var info: String

    /// `nil` for events that those actions do not know.
    init?(_ event: TraceEvent) {
        switch event.kind {
        case .connected: self.init("connect", "connect", event.detail)
        case .refused, .closed: self.init("close", "close", event.detail)
        case .disconnected: self.init("disconnect", "disconnect", event.detail)
        case .publishedByService: self.init("ServerSend", "msg.pub.server", "Pub From Server")
        case .published: self.init("pub_mqtt", "msg.pub.mqtt", "Pub From Mqtt Client")
        case .delivered: self.init("sub", "msg.sub", "Push To Mqtt Client")
        case .deliveredOffline: self.init("push_offline", "msg.push.offline", "Push Offline Msg To Mqtt Client")
        case .acknowledged, .stored, .dropped: return nil
        }
    }

    private init(_ action: String, _ code: String, _ info: String) {
        self.action = action
        self.code = "mqtt.trace.action.\(code)"
        self.info = info
    }

    static let ofConnections: Set<TraceEvent.Kind> = [.connected, .refused, .disconnected, .closed]
    static let ofPublishing: Set<TraceEvent.Kind> = [.published, .publishedByService]
    static let ofDelivery: Set<TraceEvent.Kind> = [.delivered, .deliveredOffline]
}

/// Who the trace says has published a message that came through the API.
enum ManagedSender {
    static func text(_ keyID: String) -> String { "api/" + keyID }
}
