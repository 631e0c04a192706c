/// The bounds that the broker keeps for each client and for itself.
///
/// Every bound has a reason code or a `DropReason` for reaching it; docs/guarantees.md lists them.
package struct Limits: Sendable, Equatable {
    /// Connections of the whole process; a further CONNECT gets 0x97 *Quota exceeded*.
    package var connections = 100_000
    /// Sessions of the whole process, connected or not; a further client gets 0x97.
    package var sessions = 1_000_000
    /// Largest packet accepted and announced [MQTT-3.2.2-15], 64 … 268,435,460 bytes.
    package var packetBytes = 1_048_576
    /// Largest CONNECT accepted; what an unauthenticated peer can make the broker hold.
    package var connectPacketBytes = 32_768
    /// Levels of a topic name or filter.
    package var topicLevels = 128
    /// Bytes of a topic name or filter, 1 … 65,535.
    package var topicBytes = 65_535
    /// Subscriptions of one session; a further one gets 0x97.
    package var subscriptionsPerClient = 10_000
    /// Receive Maximum announced to 5.0 clients [MQTT-3.2.2-7]: QoS 1 and 2 PUBLISH packets not yet acknowledged.
    package var receiveMaximum: UInt16 = 256
    /// Send window towards clients that cannot name a Receive Maximum, and the upper bound for those that can.
    package var inFlightMessages: UInt16 = 256
    /// Messages waiting in one session beyond the window; then the oldest goes (`queueFull`).
    package var queuedMessagesPerSession = 10_000
    /// Bytes waiting in one session, likewise.
    package var queuedBytesPerSession = 16 << 20
    /// Unsent bytes of one connection beyond which QoS 0 is dropped (`slowConsumer`) and QoS 1 and 2 wait in the queue.
    package var outputBytesPerConnection = 4 << 20
    /// Longest session expiry in seconds; a longer wish is shortened and announced [MQTT-3.2.2-3.2].
    package var sessionExpirySeconds: UInt32 = 604_800
    /// Topic aliases accepted from a client and used towards one that allows them.
    package var topicAliases: UInt16 = 32
    /// Longest keep alive in seconds, announced when shorter than asked [MQTT-3.1.2-21]; 0 leaves it to the client.
    package var keepAliveSeconds: UInt16 = 0
    /// Retained messages, and their bytes; a further one is not kept (`retainedFull`).
    package var retainedMessages = 1_000_000
    package var retainedBytes = 256 << 20
    /// Seconds from the accepted connection to the end of CONNECT and its authentication.
    package var connectSeconds = 10
    /// Bytes waiting for one other shard beyond which reading from publishers pauses.
    package var shardBacklogBytes = 16 << 20

    package init() {}
}
