internal import ApusBroker
internal import ApusLocks
internal import ApusLoop
internal import ApusMessage

/// What reaches a loop from other threads.
enum Letter: Sendable {
    case mail(ShardMail)
    /// A connection whose session lives on the receiving shard.
    case moved(Parcel<MovingLink>)
    /// A connection that another loop has accepted for this one.
    case accepted(Parcel<AcceptedLink>)
    /// Stop accepting, end all connections; whatever is left after this time is cut off.
    case shutdown(graceMilliseconds: Int64)
}

/// Carries a value that has one owner through a mailbox; taken once.
final class Parcel<Value: ~Copyable & Sendable>: Sendable {
    private let content: Guarded<Value?>

    init(_ value: consuming sending Value) { content = Guarded(value) }

    func take() -> Value? { content.withLock { $0.take() } }
}

/// A connection between two loops.
struct MovingLink: ~Copyable, Sendable {
    let socket: Descriptor
    let listener: Int
    let layers: LinkLayers
    let peer: Peer
    let acceptedAt: Timestamp
    /// MQTT bytes that the old shard has not parsed.
    let received: [UInt8]
}

/// A connection that just came in.
struct AcceptedLink: ~Copyable, Sendable {
    let socket: Descriptor
    let listener: Int
    let address: SocketAddress
    let acceptedAt: Timestamp
}
