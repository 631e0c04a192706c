public import ApusMemory
package import ApusMessage
package import ApusTopics
package import MQTTCodec

/// QoS 1 and QoS 2 messages sent to a client and not yet finished: the send window.
///
/// ```
///             PUBLISH                PUBACK
///  QoS 1  ──▶ awaitingAcknowledgement ──▶ finished
///             PUBLISH                PUBREC → PUBREL        PUBCOMP
///  QoS 2  ──▶ awaitingReceived ──▶ awaitingCompletion ──▶ finished
/// ```
///
/// Packet identifiers are given out in ascending order, so the window is a ring whose first entry has the identifier
/// `first`; an acknowledgement is found by subtraction. An entry finished out of order stays in the ring until those
/// before it are finished, which bounds the ring by 65,535 and keeps identifiers unique [MQTT-2.2.1-3].
///
/// Part of the session: it outlives the connection. `connectionStarted` begins the repetition of what is unfinished, in
/// order and with the same identifiers [MQTT-4.4.0-1], within the new connection's window [MQTT-3.3.4-9]. Nothing is
/// repeated within a connection [MQTT-4.4.0-1].
///
/// Public for `hasRoom` and `underWayCount`, which each message asks for: no `package` property is inlined across modules.
public struct OutboundPublishes: Sendable {
    fileprivate enum Progress: UInt8, Sendable {
        case finished
        case awaitingAcknowledgement
        case awaitingReceived
        case awaitingCompletion
    }

    @usableFromInline
    struct Entry: Sendable {
        /// What to send again or to hand over; `nil` when nobody could ever ask for it again.
        var delivery: Delivery?
        /// What traces know the message by.
        var number = MessageNumber.none
        fileprivate var progress: Progress
    }

    @usableFromInline var ring = RingBuffer<Entry>()
    /// The identifier of `ring[0]`.
    private var first: PacketIdentifier = 1
    /// Unfinished entries, of this connection or an earlier one.
    @usableFromInline var unfinishedEntries: UInt16 = 0
    // Half as wide as they could be: each session has them.
    @usableFromInline var outstanding32: UInt32 = 0
    @usableFromInline var nextToRepeat32: UInt32 = 0
    /// How many unfinished messages this connection may have.
    @usableFromInline var window: UInt16

    /// Unfinished entries that this connection has sent (again).
    @inlinable var outstanding: Int {
        get { Int(outstanding32) }
        set { outstanding32 = UInt32(newValue) }
    }
    /// The next entry to send again; everything before it was sent on this connection.
    @inlinable var nextToRepeat: Int {
        get { Int(nextToRepeat32) }
        set { nextToRepeat32 = UInt32(newValue) }
    }
    /// How many packet identifiers there are.
    @inlinable static var identifiers: Int { 65_535 }

    package init(window: UInt16) { self.window = window }

    /// Whether another message may be sent now.
    @inlinable public var hasRoom: Bool {
        outstanding < window && nextToRepeat == ring.count && ring.count < Self.identifiers
    }

    /// How many messages may be sent now.
    package var room: Int { hasRoom ? min(Int(window) - outstanding, Self.identifiers - ring.count) : 0 }

    /// Whether something of an earlier connection must be sent again before anything new.
    package var mustRepeat: Bool { nextToRepeat < ring.count }

    /// Messages sent and unfinished on this connection.
    package var outstandingCount: Int { outstanding }

    /// Whether no message is under way.
    package var isEmpty: Bool { ring.isEmpty }

    /// As many as `underWay` has.
    @inlinable public var underWayCount: Int { Int(unfinishedEntries) }

    // MARK: - Sending

    /// A new message is sent.
    ///
    /// Call only when `hasRoom`.
    ///
    /// - Parameters:
    ///   - delivery: what to send again after a reconnect; `nil` when the session ends with its connection.
    ///   - number: what traces know the message by.
    /// - Returns: its packet identifier, never 0.
    package mutating func sent(
        _ qos: QoS,
        keeping delivery: Delivery?,
        number: MessageNumber = .none,
    ) -> PacketIdentifier {
        precondition(hasRoom && qos > .atMostOnce)
        let identifier = self.identifier(at: ring.count)
        ring.append(
            Entry(
                delivery: delivery,
                number: number,
                progress: qos == .atLeastOnce ? .awaitingAcknowledgement : .awaitingReceived,
            ),
        )
        unfinishedEntries += 1
        outstanding += 1
        nextToRepeat += 1
        return identifier
    }

    /// A connection of the session starts with the given window.
    package mutating func connectionStarted(window: UInt16) {
        self.window = window
        outstanding = 0
        nextToRepeat = 0
        skipFinished()
    }

    /// What is sent again first of all.
    package enum Repetition: Sendable {
        case publish(PacketIdentifier, Delivery)
        case release(PacketIdentifier)
    }

    /// The next packet to send again, or `nil` when the window is full or all is repeated.
    package mutating func nextRepetition() -> Repetition? {
        // What is finished needs no place in the window: without it, nothing may be left to repeat.
        defer { skipFinished() }
        while nextToRepeat < ring.count, outstanding < window {
            let index = nextToRepeat
            nextToRepeat += 1
            switch ring[index].progress {
            case .finished:
                continue
            case .awaitingCompletion:
                outstanding += 1
                return .release(identifier(at: index))
            case .awaitingAcknowledgement, .awaitingReceived:
                guard let delivery = ring[index].delivery else {
                    ring[index].progress = .finished
                    unfinishedEntries -= 1
                    continue
                }
                outstanding += 1
                return .publish(identifier(at: index), delivery)
            }
        }
        dropFinished()
        return nil
    }

    /// What traces know the message by that has this identifier; `.none` when there is none.
    package func number(of identifier: PacketIdentifier) -> MessageNumber {
        index(of: identifier).map { ring[$0].number } ?? .none
    }

    // MARK: - Acknowledgements

    /// What an acknowledgement of the client means.
    package enum Acknowledgement: Sendable {
        /// The message is done; the window has room again.
        case finished(Delivery?)
        /// The message is the receiver's, if it was not before; answer with PUBREL.
        case release(Delivery?)
        /// It belongs to a message that this connection has not come to repeat: PUBREL will go out in its place.
        case noted(Delivery?)
        /// No such message is under way.
        case unknown
        /// The packet belongs to the other QoS: a protocol error of the client [MQTT-4.3.2-3].
        case wrongPacket
    }

    package mutating func receivedPubAck(_ identifier: PacketIdentifier) -> Acknowledgement {
        guard let index = index(of: identifier) else { return .unknown }
        switch ring[index].progress {
        case .awaitingAcknowledgement: return .finished(finish(index))
        case .finished: return .unknown
        case .awaitingReceived, .awaitingCompletion: return .wrongPacket
        }
    }

    /// PUBREC came.
    ///
    /// - Parameter refused: its reason code is 0x80 or more, which ends the exchange [MQTT-4.3.3-4].
    package mutating func receivedPubRec(_ identifier: PacketIdentifier, refused: Bool) -> Acknowledgement {
        guard let index = index(of: identifier) else { return noteEarly(identifier, refused: refused) }
        switch ring[index].progress {
        case .awaitingReceived where refused: return .finished(finish(index))
        case .awaitingReceived:
            // From here on only the identifier is needed: the receiver owns the message [MQTT-4.3.3-6].
            let delivery = ring[index].delivery
            ring[index].delivery = nil
            ring[index].progress = .awaitingCompletion
            return .release(delivery)
        case .awaitingCompletion: return .release(nil)
        case .finished: return .unknown
        case .awaitingAcknowledgement: return .wrongPacket
        }
    }

    /// A PUBREC that the receiver owes from the last connection and sends before the message is repeated to it.
    ///
    /// Answering *not found* would make it release the identifier and take the repetition for a new message.
    private mutating func noteEarly(_ identifier: PacketIdentifier, refused: Bool) -> Acknowledgement {
        guard let index = position(of: identifier), index < ring.count else { return .unknown }
        switch ring[index].progress {
        case .awaitingReceived:
            let delivery = ring[index].delivery
            ring[index] = Entry(delivery: nil, progress: refused ? .finished : .awaitingCompletion)
            if refused { unfinishedEntries -= 1 }
            return .noted(delivery)
        case .awaitingCompletion: return .noted(nil)
        case .finished: return .unknown
        case .awaitingAcknowledgement: return .wrongPacket
        }
    }

    package mutating func receivedPubComp(_ identifier: PacketIdentifier) -> Acknowledgement {
        guard let index = index(of: identifier) else { return .unknown }
        switch ring[index].progress {
        case .awaitingCompletion: return .finished(finish(index))
        case .finished: return .unknown
        case .awaitingAcknowledgement, .awaitingReceived: return .wrongPacket
        }
    }

    /// A message that was next to be repeated does not fit this connection: it is given up.
    package mutating func abandon(_ identifier: PacketIdentifier) {
        if let index = index(of: identifier) { _ = finish(index) }
    }

    // MARK: - The end of a connection or session

    /// Takes out the QoS 1 messages that came through a shared subscription, so that another member gets them.
    ///
    /// QoS 2 messages stay: they must not go to anybody else [MQTT-4.8.2-5].
    ///
    /// - Parameter hasOthers: whether the group has another member to take them.
    package mutating func takeShared(where hasOthers: (SharedGroup) -> Bool) -> [Delivery] {
        var taken: [Delivery] = []
        for index in 0..<ring.count where ring[index].progress == .awaitingAcknowledgement {
            guard let delivery = ring[index].delivery, let group = delivery.extra?.group, hasOthers(group) else {
                continue
            }
            taken.append(delivery)
            ring[index] = Entry(delivery: nil, progress: .finished)
            unfinishedEntries -= 1
            if index < nextToRepeat { outstanding -= 1 }
        }
        dropFinished()
        return taken
    }

    /// Every message that its receiver may not have, oldest first; for the end of the session.
    package var unfinished: [Delivery] {
        (0..<ring.count).compactMap { index in
            switch ring[index].progress {
            case .finished, .awaitingCompletion: nil
            case .awaitingAcknowledgement, .awaitingReceived: ring[index].delivery
            }
        }
    }

    // MARK: - Over a restart

    /// A message under way, as a store knows it.
    package struct UnderWay: Sendable {
        package let identifier: PacketIdentifier
        /// `nil` after PUBREC, and for what nobody could ask for again.
        package let delivery: Delivery?
        package let isReceived: Bool

        package init(identifier: PacketIdentifier, delivery: Delivery?, isReceived: Bool) {
            self.identifier = identifier
            self.delivery = delivery
            self.isReceived = isReceived
        }
    }

    /// All that is unfinished, in the order of sending.
    package var underWay: [UnderWay] {
        (0..<ring.count).compactMap { index in
            let entry = ring[index]
            guard entry.progress != .finished else { return nil }
            return UnderWay(
                identifier: identifier(at: index),
                delivery: entry.delivery,
                isReceived: entry.progress == .awaitingCompletion,
            )
        }
    }

    /// Takes up the QoS 2 messages that were under way when the process ended, in the order of sending.
    ///
    /// Identifiers that do not ascend from the first on, which only a damaged store can name, are left out.
    ///
    /// Call on a session that has sent nothing yet.
    package mutating func restore(_ messages: [UnderWay]) {
        guard let start = messages.first?.identifier, start != 0 else { return }
        first = start
        for message in messages {
            guard let place = position(of: message.identifier), place >= ring.count else { continue }
            while ring.count < place { ring.append(Entry(delivery: nil, progress: .finished)) }
            let progress = message.isReceived ? Progress.awaitingCompletion : .awaitingReceived
            unfinishedEntries += 1
            ring.append(
                Entry(
                    delivery: message.delivery,
                    number: message.delivery?.message.number ?? .none,
                    progress: progress,
                )
            )
        }
    }

    // MARK: - The ring

    private func identifier(at index: Int) -> PacketIdentifier {
        // 1 … 65,535, then 1 again: 0 is no identifier [MQTT-2.2.1-2].
        PacketIdentifier((Int(first) - 1 + index) % Int(PacketIdentifier.max) + 1)
    }

    private func index(of identifier: PacketIdentifier) -> Int? {
        guard let index = position(of: identifier) else { return nil }
        // What this connection has not sent again yet cannot be acknowledged on it either.
        return index < nextToRepeat ? index : nil
    }

    /// Where the identifier stands or would stand in the ring.
    private func position(of identifier: PacketIdentifier) -> Int? {
        guard identifier != 0 else { return nil }
        let index = Int(identifier) - Int(first)
        return index < 0 ? index + Int(PacketIdentifier.max) : index
    }

    private mutating func finish(_ index: Int) -> Delivery? {
        let delivery = ring[index].delivery
        unfinishedEntries -= 1
        outstanding -= 1
        if index == 0 {
            _ = ring.popFirst()
            advanceFirst()
            if !ring.isEmpty, ring[0].progress == .finished { dropFinished() }
        } else {
            ring[index] = Entry(delivery: nil, progress: .finished)
        }
        return delivery
    }

    private mutating func dropFinished() {
        while !ring.isEmpty, ring[0].progress == .finished, nextToRepeat > 0 {
            _ = ring.popFirst()
            advanceFirst()
        }
    }

    private mutating func skipFinished() {
        while nextToRepeat < ring.count, ring[nextToRepeat].progress == .finished { nextToRepeat += 1 }
    }

    private mutating func advanceFirst() {
        first = first == .max ? 1 : first + 1
        nextToRepeat -= 1
    }
}
