package import ApusTopics
package import MQTTCodec

/// A message on its way to one session: what the session's subscriptions made of it.
package struct Delivery: Sendable {
    package let message: Message
    /// Rarely needed parts; `nil` for almost every delivery.
    package let extra: Extra?
    /// 0 when the matching subscription has none.
    package let subscriptionIdentifier: UInt32
    /// The lower of the message's and the subscription's QoS [MQTT-3.8.4-8].
    package let qos: QoS
    /// The RETAIN flag as the receiver is to see it [MQTT-3.3.1-12, MQTT-3.3.1-13].
    package let retain: Bool
    /// Where the store holds the message; `.none` when it does not.
    package var position: StorePosition { message.position }

    /// What only few deliveries have.
    package final class Extra: Sendable {
        /// Identifiers of further matching subscriptions of the same session [MQTT-3.3.4-4].
        package let furtherSubscriptionIdentifiers: [UInt32]
        /// The shared subscription through which the message came; another member gets it if this one leaves.
        package let group: SharedGroup?

        package init(furtherSubscriptionIdentifiers: [UInt32], group: SharedGroup?) {
            self.furtherSubscriptionIdentifiers = furtherSubscriptionIdentifiers
            self.group = group
        }
    }

    package init(
        message: Message,
        qos: QoS,
        retain: Bool,
        subscriptionIdentifier: UInt32 = 0,
        extra: Extra? = nil,
    ) {
        self.message = message
        self.extra = extra
        self.subscriptionIdentifier = subscriptionIdentifier
        self.qos = qos
        self.retain = retain
    }
}
