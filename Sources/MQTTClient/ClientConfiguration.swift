public import MQTTCodec

/// How a client behaves.
public struct ClientConfiguration: Sendable {
    /// The CONNECT that opens each connection: protocol version, client identifier, clean start, session expiry, keep
    /// alive, credentials, will, the limits that we announce, and the first step of enhanced authentication.
    public var connect: Connect
    /// Leaves it to the application to acknowledge messages of QoS 1 and 2, by
    /// ``MQTTClientMachine/acknowledge(_:reasonCode:now:into:)`` and in the order of delivery [MQTT-4.6.0-2].
    public var acknowledgesManually = false
    /// How many messages of QoS 1 and 2 may wait to be sent, those in flight not counted; one more is refused.
    public var maximumWaiting = 10_000
    /// How many messages of QoS 1 and 2 may be in flight where the server allows more.
    public var maximumInFlight = 65_535
    /// How long the server may take to answer a CONNECT.
    public var connectTimeout = Duration.seconds(30)
    /// How long the server may take to answer a ping while nothing else comes from it.
    public var pingTimeout = Duration.seconds(10)

    /// The usual behaviour with this CONNECT.
    public init(connect: Connect) { self.connect = connect }
}
