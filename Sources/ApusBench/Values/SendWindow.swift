internal import MQTTCodec

/// The packet identifiers of one publisher: which are free, and what the others wait for [MQTT-2.2.1-3].
struct SendWindow: Sendable {
    enum Waiting: UInt8 {
        case nothing
        /// PUBACK or PUBREC.
        case firstAnswer
        /// PUBCOMP.
        case completion
    }

    /// A ring of free identifiers: the one that rested longest is used next.
    private var free: [PacketIdentifier]
    private var firstFree = 0
    private(set) var freeCount: Int
    private var waiting: [UInt8]
    private(set) var limit: Int

    /// How many wait for an answer.
    var count: Int { free.count - freeCount }
    var isFull: Bool { count >= limit }

    /// - Parameter size: 0 to 65,535.
    init(size: Int) {
        free = (0..<size).map { PacketIdentifier($0 + 1) }
        freeCount = size
        waiting = [UInt8](repeating: 0, count: size + 1)
        limit = size
    }

    /// Keeps to what the broker takes at a time [MQTT-3.3.4-9].
    mutating func limit(to receiveMaximum: Int) { limit = min(limit, receiveMaximum) }

    /// A free identifier; only when the window is not full.
    @inline(__always)
    mutating func take() -> PacketIdentifier {
        let identifier = free[firstFree]
        firstFree = firstFree &+ 1 == free.count ? 0 : firstFree &+ 1
        freeCount &-= 1
        waiting[Int(identifier)] = Waiting.firstAnswer.rawValue
        return identifier
    }

    func waits(_ identifier: PacketIdentifier) -> Waiting {
        guard Int(identifier) < waiting.count else { return .nothing }
        return Waiting(rawValue: waiting[Int(identifier)]) ?? .nothing
    }

    /// PUBREC has come: PUBCOMP is next.
    mutating func received(_ identifier: PacketIdentifier) { waiting[Int(identifier)] = Waiting.completion.rawValue }

    /// The exchange is over; only for one that waits.
    @inline(__always)
    mutating func complete(_ identifier: PacketIdentifier) {
        waiting[Int(identifier)] = Waiting.nothing.rawValue
        let position = firstFree &+ freeCount
        free[position >= free.count ? position &- free.count : position] = identifier
        freeCount &+= 1
    }
}

/// The QoS 2 messages of one subscriber between PUBLISH and PUBREL: a repetition in between is no second delivery.
struct ReceivedIdentifiers: Sendable {
    /// One bit an identifier; empty, or 8 KiB.
    private var bits: [UInt64] = []

    /// Whether the identifier is new, which it is not any more afterwards.
    mutating func insert(_ identifier: PacketIdentifier) -> Bool {
        if bits.isEmpty { bits = [UInt64](repeating: 0, count: 1024) }
        let mask: UInt64 = 1 &<< UInt64(identifier & 63)
        defer { bits[Int(identifier &>> 6)] |= mask }
        return bits[Int(identifier &>> 6)] & mask == 0
    }

    mutating func remove(_ identifier: PacketIdentifier) {
        guard !bits.isEmpty else { return }
        bits[Int(identifier &>> 6)] &= ~(1 &<< UInt64(identifier & 63))
    }
}
