internal import ApusBroker
internal import ApusLoop
internal import ApusMessage
internal import WebSocketCodec

/// One socket of a loop: 24 bytes, which with the kernel's share is all that plain TCP costs here.
///
/// What only some connections have stands in side tables: `Layers` for TLS and WebSocket, `Staging` for what a
/// connection needs before it is open and while it closes.
struct Link: ~Copyable {
    /// How far the connection has come.
    ///
    /// The order of the cases is the order of time; some are skipped.
    enum Phase: UInt8 {
        /// The PROXY header is awaited.
        case proxyHeader
        case tlsHandshake
        /// The WebSocket upgrade is awaited.
        case upgrade
        /// The shard has it.
        case open
        /// The last bytes leave.
        case flushing
        /// All has left and our side is shut; what the peer still sends is dropped until it closes.
        case lingering
    }

    struct Flags: OptionSet {
        let rawValue: UInt8

        /// Bytes, or the end, may wait in the socket or in the TLS session.
        static let readable = Flags(rawValue: 1)
        /// The socket took no more; the next edge for writing goes on.
        static let blocked = Flags(rawValue: 2)
        /// The peer has ended its side: a short read does not mean that nothing is left.
        static let hungUp = Flags(rawValue: 4)
        /// Stands in the list of those that are read again in the next tick.
        static let queued = Flags(rawValue: 8)
        /// Sending has failed; what was received before is still read.
        static let broken = Flags(rawValue: 16)
    }

    let socket: Descriptor
    /// The shard's slot, -1 before `open` and when the shard has let go.
    var slot: Int32 = -1
    /// Indices into the side tables, -1 for none.
    var tls: Int32 = -1
    var webSocket: Int32 = -1
    var staging: Int32 = -1
    let listener: UInt16
    var phase: Phase
    var flags: Flags = []

    init(socket: consuming Descriptor, listener: Int, phase: Phase) {
        self.socket = socket
        self.listener = UInt16(truncatingIfNeeded: listener)
        self.phase = phase
    }
}

/// What a connection needs while it opens or closes, and gives back in between.
struct Staging {
    /// When the loop gives the connection up.
    var deadline: Timestamp
    /// What is known so far of who connects.
    var peer: Peer
    /// The time for CONNECT runs from here.
    let acceptedAt: Timestamp
    /// The beginning of the upgrade request; at most 16 KiB.
    var received: [UInt8] = []
    private var parser = UpgradeRequestParser()

    init(deadline: Timestamp, peer: Peer, acceptedAt: Timestamp) {
        self.deadline = deadline
        self.peer = peer
        self.acceptedAt = acceptedAt
    }

    /// The upgrade request, once it is complete.
    mutating func parse() throws(UpgradeRefusal) -> UpgradeRequest? {
        let received = received
        return try parser.parse(received.span)
    }
}

/// Names a link from outside the table: index and generation.
///
/// Generation 0 names no link: such tokens stand for listeners and for the loop's wake-up.
struct LinkToken: Hashable {
    let rawValue: UInt64

    init(rawValue: UInt64) { self.rawValue = rawValue }

    init(index: Int, generation: UInt32) {
        rawValue = UInt64(generation) << 32 | UInt64(UInt32(truncatingIfNeeded: index))
    }

    static func listener(_ index: Int) -> LinkToken { LinkToken(index: index, generation: 0) }
    static let wakeUp = LinkToken(index: Int(UInt32.max), generation: 0)

    var index: Int { Int(UInt32(truncatingIfNeeded: rawValue)) }
    var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }
}
