import ApusMessage
import MQTTCodec

/// A client that keeps the protocol, however badly its connection fares: its own session state and what it has seen.
final class SimulatedClient {
    enum Phase { case offline, connecting, connected }

    struct Outgoing {
        let id: PacketIdentifier
        let message: Int
        let qos: QoS
        /// PUBREC came: from now on PUBREL is repeated.
        var isReleased = false
    }

    let index: Int
    let name: String
    let version: ProtocolVersion
    /// Has subscribed to everything with QoS 2 at the beginning and never loses its session.
    let isCore: Bool
    let expiry: UInt32
    let receiveMaximum: UInt16
    let topicAliasMaximum: UInt16
    let keepAlive: UInt16

    var phase = Phase.offline
    var link: Link?
    /// Connections left before their CONNACK: one of them may yet make a new session after the old one has ended, which
    /// would pass for the old one. So the client starts anew.
    private var ghosts: [Link] = []
    var input: [UInt8] = []
    var outgoing: [Outgoing] = []
    private var lastID: PacketIdentifier = 0
    /// QoS 2 identifiers received and not released.
    var unreleased: Set<PacketIdentifier> = []
    /// Acknowledgements to send on this connection, in any order.
    var owed: [(type: PacketType, id: PacketIdentifier)] = []
    /// QoS 1 and 2 messages received on this connection and not finished.
    var underWay: Set<PacketIdentifier> = []
    private var aliases: [UInt16: String] = [:]
    /// Every filter of the session's life.
    var filters: Set<String> = []
    /// How often each message came.
    var seen: [Int: Int] = [:]
    /// The last message first seen, by publisher, topic and QoS.
    private var lastSeen: [String: Int] = [:]
    /// Whether queues drop their oldest, so that a message which its publisher repeats may overtake.
    let mayLose: Bool
    var failures: [String] = []

    init(index: Int, isCore: Bool, mayLose: Bool, random: inout SeededGenerator) {
        self.index = index
        name = "client \(index)"
        self.isCore = isCore
        self.mayLose = mayLose
        version = Bool.random(using: &random) ? .v5 : .v3_1_1
        expiry = isCore ? 1_000_000 : .random(in: 0...10, using: &random)
        receiveMaximum = version == .v5 ? .random(in: 1...15, using: &random) : .max
        topicAliasMaximum = .random(in: 0...3, using: &random)
        keepAlive = Int.random(in: 0..<3, using: &random) == 0 ? 5 : 0
    }

    /// Before 5.0 a session lasts for ever or not at all.
    var isClean: Bool { !isCore && version < .v5 }

    // MARK: - Sending

    func send(_ packet: Packet) {
        guard let link, !link.isLeftByClient else { return }
        packet.encode(into: &link.toBroker, version: version)
    }

    func connect(through link: Link, will: Will?) {
        self.link = link
        phase = .connecting
        input = []
        aliases = [:]
        owed = []
        underWay = []
        defer { ghosts.removeAll { $0.isClosedByBroker } }
        var connect = Connect(
            version: version,
            clientIdentifier: name,
            cleanStart: isClean || !ghosts.isEmpty,
            keepAliveSeconds: keepAlive,
            will: will,
        )
        if version == .v5 {
            connect.sessionExpiryInterval = expiry
            connect.receiveMaximum = receiveMaximum
            connect.topicAliasMaximum = topicAliasMaximum
        }
        send(.connect(connect))
    }

    func leave() {
        if let link, phase == .connecting, !isCore { ghosts.append(link) }
        link?.isLeftByClient = true
        link = nil
        phase = .offline
    }

    func publish(_ message: Int, _ published: Published) {
        var id: PacketIdentifier = 0
        if published.qos > .atMostOnce {
            repeat { lastID = lastID == .max ? 1 : lastID + 1 } while outgoing.contains { $0.id == lastID }
            id = lastID
            outgoing.append(Outgoing(id: id, message: message, qos: published.qos))
        }
        sendPublish(message, published, id: id, dup: false)
    }

    private func sendPublish(_ message: Int, _ published: Published, id: PacketIdentifier, dup: Bool) {
        let payload = Array("\(message)".utf8)
        send(
            .publish(
                Publish(topic: published.topic, payload: payload, qos: published.qos, packetIdentifier: id, dup: dup),
            ),
        )
    }

    func subscribe(_ filter: String, _ qos: QoS) {
        filters.insert(filter)
        let request = Subscribe.Request(filter, SubscriptionOptions(qos: qos))
        send(.subscribe(Subscribe(packetIdentifier: 1, requests: [request])))
    }

    func unsubscribe(_ filter: String) {
        send(.unsubscribe(Unsubscribe(packetIdentifier: 2, topicFilters: [filter])))
    }

    /// Sends one acknowledgement that it owes.
    func acknowledge(_ index: Int) {
        let (type, id) = owed.remove(at: index)
        if type != .pubRec { underWay.remove(id) }
        send(.acknowledgement(Acknowledgement(type: type, packetIdentifier: id)))
    }

    // MARK: - Receiving

    func receive(_ messages: inout [Published]) {
        var offset = 0
        do {
            while let frame = try FrameDecoder.next(input.span, at: offset, maximumPacketSize: .max) {
                let packet = try Packet.decode(input.span, frame: frame, version: version, sender: .server)
                offset = frame.end
                take(packet, &messages)
            }
        } catch {
            failures.append("\(name): malformed packet from the broker: \(error)")
        }
        input.removeFirst(min(offset, input.count))
    }

    private func take(_ packet: Packet, _ messages: inout [Published]) {
        if phase == .connecting, packet.type != .connAck, packet.type != .disconnect {
            failures.append("\(name): \(packet.type) before CONNACK")
        }
        switch packet {
        case .connAck(let answer): connected(answer, messages)
        case .publish(let publish): received(publish, messages)
        case .acknowledgement(let acknowledgement): received(acknowledgement, &messages)
        case .disconnect(let disconnect):
            let expected: [ReasonCode] = [.sessionTakenOver, .keepAliveTimeout, .administrativeAction]
            if !expected.contains(disconnect.reasonCode) {
                failures.append("\(name): DISCONNECT \(disconnect.reasonCode) \(disconnect.reasonString ?? "")")
            }
        default: break
        }
    }

    private func connected(_ answer: ConnAck, _ messages: [Published]) {
        // An authenticator that took too long.
        if [.serverBusy, .serverUnavailable].contains(answer.reasonCode) { return }
        guard answer.reasonCode == .success else {
            failures.append("\(name): CONNACK \(answer.reasonCode) \(answer.reasonString ?? "")")
            return
        }
        phase = .connected
        if !answer.sessionPresent {
            if isCore, !filters.isEmpty { failures.append("\(name): the session is lost") }
            outgoing = []
            unreleased = []
            filters = []
        }
        for entry in outgoing {
            if entry.isReleased {
                send(.acknowledgement(Acknowledgement(type: .pubRel, packetIdentifier: entry.id)))
            } else {
                sendPublish(entry.message, messages[entry.message], id: entry.id, dup: true)
            }
        }
    }

    private func received(_ acknowledgement: Acknowledgement, _ messages: inout [Published]) {
        let id = acknowledgement.packetIdentifier
        let at = outgoing.firstIndex { $0.id == id }
        switch acknowledgement.type {
        case .pubAck:
            guard let at, outgoing[at].qos == .atLeastOnce else { return complain(acknowledgement) }
            messages[outgoing.remove(at: at).message].isAccepted = true
        case .pubRec:
            guard let at, outgoing[at].qos == .exactlyOnce else { return complain(acknowledgement) }
            messages[outgoing[at].message].isAccepted = true
            outgoing[at].isReleased = true
            send(.acknowledgement(Acknowledgement(type: .pubRel, packetIdentifier: id)))
        case .pubComp:
            guard let at, outgoing[at].isReleased else { return complain(acknowledgement) }
            outgoing.remove(at: at)
        default:
            unreleased.remove(id)
            owed.append((.pubComp, id))
        }
    }

    private func complain(_ acknowledgement: Acknowledgement) {
        failures.append("\(name): \(acknowledgement.type) \(acknowledgement.packetIdentifier) fits nothing")
    }

    private func received(_ publish: Publish, _ messages: [Published]) {
        var topic = publish.topic
        if publish.topicAlias > 0 {
            if topic.isEmpty { topic = aliases[publish.topicAlias] ?? "?" } else { aliases[publish.topicAlias] = topic }
            if publish.topicAlias > topicAliasMaximum { failures.append("\(name): alias above its maximum") }
        }
        let id = publish.packetIdentifier
        if publish.qos > .atMostOnce {
            underWay.insert(id)
            if underWay.count > Int(receiveMaximum) { failures.append("\(name): more under way than its maximum") }
            owed.append((publish.qos == .atLeastOnce ? .pubAck : .pubRec, id))
        }
        if publish.qos == .exactlyOnce, !unreleased.insert(id).inserted { return }
        guard let message = Int(String(decoding: publish.payload, as: UTF8.self)), message < messages.count else {
            return failures.append("\(name): a payload nobody sent")
        }
        note(message, topic, publish, messages[message])
    }

    private func note(_ message: Int, _ topic: String, _ publish: Publish, _ published: Published) {
        if published.topic != topic { failures.append("\(name): message \(message) under the topic \(topic)") }
        if publish.qos > published.qos { failures.append("\(name): message \(message) with a higher QoS") }
        if !filters.contains(where: { matches($0, topic) }) {
            failures.append("\(name): message \(message) without a subscription")
        }
        seen[message, default: 0] += 1
        // Wills are of several connections, whose CONNECT packets may overtake each other.
        guard isCore, seen[message] == 1, topic.hasPrefix("t/") else { return }
        if mayLose, published.qos == .atLeastOnce { return }
        let key = "\(published.publisher) \(topic) \(published.qos)"
        if let last = lastSeen[key], last > message {
            failures.append("\(name): message \(message) after \(last) of the same publisher and topic")
        }
        lastSeen[key] = message
    }

    private func matches(_ filter: String, _ topic: String) -> Bool {
        let plain = filter.hasPrefix("$share/g/") ? String(filter.dropFirst(9)) : filter
        return plain == "#" || plain == topic || (plain == "t/+" && topic.hasPrefix("t/"))
    }
}
