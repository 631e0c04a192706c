/// The will of a connection [MQTT-3.1.2-7]: published for it when it ends without a normal DISCONNECT.
package final class WillMessage: Sendable {
    package let message: Message
    /// Seconds between the end of the connection and the publication [MQTT-3.1.3-9]; 0 is at once.
    package let delaySeconds: UInt32
    /// The will's own expiry, counted from its publication; `nil` for none.
    package let expirySeconds: UInt32?

    package init(message: Message, delaySeconds: UInt32, expirySeconds: UInt32?) {
        self.message = message
        self.delaySeconds = delaySeconds
        self.expirySeconds = expirySeconds
    }

    /// The message to publish at `now`, its expiry counted from then.
    package func published(at now: Timestamp) -> Message {
        guard let expirySeconds else { return message }
        return Message(
            bytes: message.bytes,
            topicEnd: message.topicEnd,
            propertiesEnd: message.propertiesEnd,
            qos: message.qos,
            retain: message.retain,
            expiresAt: now.adding(seconds: Int64(expirySeconds)),
            instance: message.instance,
        )
    }
}
