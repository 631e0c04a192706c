internal import MQTTCodec

/// The packet identifiers that the client has in use, for messages, subscriptions and unsubscriptions alike [MQTT-2.2.1-3].
struct PacketIdentifiers: Sendable {
    private var inUse: Set<PacketIdentifier> = []
    private var last: PacketIdentifier = 0

    /// An identifier that nothing uses; nil when all 65,535 are taken.
    mutating func take() -> PacketIdentifier? {
        guard inUse.count < Int(PacketIdentifier.max) else { return nil }
        repeat {
            last = last == .max ? 1 : last + 1
        } while inUse.contains(last)
        inUse.insert(last)
        return last
    }

    mutating func giveBack(_ identifier: PacketIdentifier) { inUse.remove(identifier) }
}
