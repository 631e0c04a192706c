package import ApusMessage

/// What the broker keeps of a client for as long as its session lives [MQTT-4.1.0-1].
///
/// Owned by one shard from first to last; a connection comes to it. Messages that wait beyond the send window stand in
/// the shard's store, not here.
package struct Session: ~Copyable {
    /// The client identifier, 1 … 65,535 bytes.
    package let clientID: String
    /// The user whose session it is, and nobody else's; `nil` for an anonymous client's.
    package var userName: String?
    /// Set by the shard as soon as the slot is known.
    package var handle: SessionHandle
    /// Its number in the store; `.none` if it never outlived a connection.
    package var number = SessionNumber.none
    /// The instance: its place in the shard's list.
    package let tenant: Int32
    /// The slot of the live connection, -1 while offline.
    package var connection: Int32 = -1
    /// Seconds that the session outlives its connection; `.max` is for ever, 0 ends it with the connection
    /// [MQTT-3.1.2-23].
    package var expirySeconds: UInt32
    /// Whether messages wait in the store beyond the send window.
    package var hasBacklog = false
    /// Whether what waits has waited since before the connection began.
    package var isCatchingUp = false
    /// Whether a right was taken from the client while messages waited, so that each must be looked at.
    package var mustCheckRights = false
    /// Whether the store knows identifiers of `inbound`, so that it must be told when they are free again.
    package var hasStoredInbound = false
    /// The will of the live connection, or of the last one while it waits for its delay.
    package var will: WillMessage?
    package var subscriptions = Subscriptions()
    package var inbound = InboundPublishes()
    package var outbound: OutboundPublishes
    /// `nil` while all in it has its first value, as with a connected client whose session ends with its connection.
    private var remainder: Remainder?

    package init(
        clientID: String,
        tenant: Int32 = 0,
        handle: SessionHandle,
        expirySeconds: UInt32,
        window: UInt16,
    ) {
        self.clientID = clientID
        self.tenant = tenant
        self.handle = handle
        self.expirySeconds = expirySeconds
        outbound = OutboundPublishes(window: window)
    }

    package var isConnected: Bool { connection >= 0 }

    /// Whether the session outlives its connection, so that messages must be kept for it.
    package var isPersistent: Bool { expirySeconds > 0 }
}

// MARK: - What most connected clients' sessions never need

extension Session {
    /// Apart, as there may be a million sessions.
    private final class Remainder {
        var beginningPosition = StorePosition.none
        var releasePosition = StorePosition.none
        var inboundPosition = StorePosition.none
        var outboundPosition = StorePosition.none
        var disconnectedAt = Session.never
        var expiresAt = Timestamp.distantFuture
        var willDueAt = Timestamp.distantFuture
        var expiryTimerAt = Timestamp.distantFuture
        var willTimerAt = Timestamp.distantFuture
        var countedMessages = 0
    }

    private static var never: Timestamp { Timestamp(milliseconds: 0) }

    /// To be asked for only where there is something to keep in it.
    private var ownRemainder: Remainder {
        mutating get {
            if let remainder { return remainder }
            let new = Remainder()
            remainder = new
            return new
        }
    }

    /// Where the store holds its beginning; no CONNACK says before that that it is there.
    package var beginningPosition: StorePosition {
        get { remainder?.beginningPosition ?? .none }
        set { if remainder != nil || newValue != .none { ownRemainder.beginningPosition = newValue } }
    }

    /// Where the store holds what the client last gave up, a subscription or the packet identifier of a QoS 2 message:
    /// that it is gone is not said before, however often the client asks.
    package var releasePosition: StorePosition {
        get { remainder?.releasePosition ?? .none }
        set { if remainder != nil || newValue != .none { ownRemainder.releasePosition = newValue } }
    }

    /// Where the store holds the last QoS 2 message of the client; each of its PUBREC packets waits at most for that.
    package var inboundPosition: StorePosition {
        get { remainder?.inboundPosition ?? .none }
        set { if remainder != nil || newValue != .none { ownRemainder.inboundPosition = newValue } }
    }

    /// Where the store holds the last step of a QoS 2 message to the client; what is repeated waits at most for that.
    package var outboundPosition: StorePosition {
        get { remainder?.outboundPosition ?? .none }
        set { if remainder != nil || newValue != .none { ownRemainder.outboundPosition = newValue } }
    }

    /// When the last connection ended; 1970 before that.
    package var disconnectedAt: Timestamp {
        get { remainder?.disconnectedAt ?? Session.never }
        set { if remainder != nil || newValue != Session.never { ownRemainder.disconnectedAt = newValue } }
    }

    /// When an offline session ends.
    package var expiresAt: Timestamp {
        get { remainder?.expiresAt ?? .distantFuture }
        set { if remainder != nil || newValue != .distantFuture { ownRemainder.expiresAt = newValue } }
    }

    /// When the will of the last connection is due; `.distantFuture` when none waits.
    package var willDueAt: Timestamp {
        get { remainder?.willDueAt ?? .distantFuture }
        set { if remainder != nil || newValue != .distantFuture { ownRemainder.willDueAt = newValue } }
    }

    /// When the timer for `expiresAt` fires; `.distantFuture` while there is none.
    package var expiryTimerAt: Timestamp {
        get { remainder?.expiryTimerAt ?? .distantFuture }
        set { if remainder != nil || newValue != .distantFuture { ownRemainder.expiryTimerAt = newValue } }
    }

    /// When the timer for `willDueAt` fires; `.distantFuture` while there is none.
    package var willTimerAt: Timestamp {
        get { remainder?.willTimerAt ?? .distantFuture }
        set { if remainder != nil || newValue != .distantFuture { ownRemainder.willTimerAt = newValue } }
    }

    /// How many waiting messages its instance counts as waiting for a client that is away.
    package var countedMessages: Int {
        get { remainder?.countedMessages ?? 0 }
        set { if remainder != nil || newValue != 0 { ownRemainder.countedMessages = newValue } }
    }
}
