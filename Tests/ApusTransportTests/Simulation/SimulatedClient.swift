import MQTTCodec
import WebSocketCodec

/// A message of the workload; its payload begins with its number.
struct SimulatedMessage {
    let publisher: Int
    let topic: String
    let qos: QoS
    let padding: Int
    /// Whether the broker has taken it over: PUBACK or PUBREC came.
    var isAccepted = false

    func payload(_ number: Int) -> [UInt8] { Array("\(number) ".utf8) + [UInt8](repeating: 0x2E, count: padding) }
}

/// A client that keeps the protocol over connections that come and go.
final class SimulatedClient {
    enum Phase { case offline, connecting, connected }
    enum Kind: Int, CaseIterable { case plain, proxied, webSocket }

    private struct Outgoing {
        let id: PacketIdentifier
        let message: Int
        let qos: QoS
        var isReleased = false
    }

    let index: Int
    let name: String
    let version: ProtocolVersion
    let kind: Kind
    /// Has subscribed to everything with QoS 2 and keeps its session.
    let isCore: Bool

    var phase = Phase.offline
    private(set) var socket: SimulatedSocket?
    private var upgrade: [UInt8]?
    private var frames = WebSocketInput(from: .server)
    private var input: [UInt8] = []
    private var outgoing: [Outgoing] = []
    private var lastID: PacketIdentifier = 0
    private var unreleased: Set<PacketIdentifier> = []
    /// Acknowledgements not sent yet.
    var owed: [(type: PacketType, id: PacketIdentifier)] = []
    private var isSubscribed = false
    var seen: [Int: Int] = [:]
    private var lastSeen: [String: Int] = [:]
    /// PINGREQ packets without an answer.
    private(set) var pings = 0
    private(set) var goodbye: ReasonCode?
    private(set) var failures: [String] = []

    init(index: Int, kind: Kind, version: ProtocolVersion, isCore: Bool) {
        self.index = index
        name = "client \(index)"
        self.kind = kind
        self.version = version
        self.isCore = isCore
    }

    var outgoingCount: Int { outgoing.count }

    /// Whether there is nothing that it could do now.
    var isIdle: Bool {
        phase == .connected && owed.isEmpty && pings == 0
            && (socket.map { $0.toClient.isEmpty && $0.inFlight.isEmpty && !isOver($0) } ?? false)
    }

    private func isOver(_ socket: SimulatedSocket) -> Bool {
        socket.isClosed || socket.isShutByBroker || socket.isReset
    }

    // MARK: - Sending

    func send(_ packet: Packet) {
        var bytes: [UInt8] = []
        packet.encode(into: &bytes, version: version)
        socket?.inFlight += kind == .webSocket ? WebSocketBytes.frame(bytes) : bytes
    }

    func connect(through socket: SimulatedSocket) {
        self.socket = socket
        phase = .connecting
        input = []
        owed = []
        pings = 0
        goodbye = nil
        upgrade = nil
        switch kind {
        case .plain: break
        case .proxied: socket.inFlight += Array("PROXY TCP4 192.0.2.7 198.51.100.1 40001 1883\r\n".utf8)
        case .webSocket:
            socket.inFlight += WebSocketBytes.request
            upgrade = []
            frames = WebSocketInput(from: .server)
        }
        var connect = Connect(version: version, clientIdentifier: name, cleanStart: !isCore)
        if version == .v5, isCore { connect.sessionExpiryInterval = 100_000 }
        send(.connect(connect))
    }

    /// Forgets the connection; the caller ends it.
    func leave() {
        socket = nil
        phase = .offline
        owed = []
        pings = 0
    }

    func subscribe() {
        isSubscribed = true
        let request = Subscribe.Request("#", SubscriptionOptions(qos: .exactlyOnce))
        send(.subscribe(Subscribe(packetIdentifier: 1, requests: [request])))
    }

    func publish(_ number: Int, _ message: SimulatedMessage) {
        var id: PacketIdentifier = 0
        if message.qos > .atMostOnce {
            repeat { lastID = lastID == .max ? 1 : lastID + 1 } while outgoing.contains { $0.id == lastID }
            id = lastID
            outgoing.append(Outgoing(id: id, message: number, qos: message.qos))
        }
        sendPublish(number, message, id: id, dup: false)
    }

    private func sendPublish(_ number: Int, _ message: SimulatedMessage, id: PacketIdentifier, dup: Bool) {
        let payload = message.payload(number)
        send(
            .publish(Publish(topic: message.topic, payload: payload, qos: message.qos, packetIdentifier: id, dup: dup)),
        )
    }

    func ping() {
        pings += 1
        send(.pingReq)
    }

    func acknowledge(_ position: Int) {
        let (type, id) = owed.remove(at: position)
        send(.acknowledgement(Acknowledgement(type: type, packetIdentifier: id)))
    }

    // MARK: - Receiving

    /// Takes what came.
    ///
    /// - Returns: whether the connection is over and everything of it was read.
    func receive(_ bytes: [UInt8], _ messages: inout [SimulatedMessage]) -> Bool {
        input += kind == .webSocket ? unframe(bytes) : bytes
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
        return socket.map { $0.toClient.isEmpty && isOver($0) } ?? false
    }

    private func unframe(_ bytes: [UInt8]) -> [UInt8] {
        var chunk = bytes
        if var head = upgrade {
            head += chunk
            upgrade = head
            guard let end = (0..<head.count).first(where: { head[...$0].suffix(4).elementsEqual([13, 10, 13, 10]) })
            else { return [] }
            if !head.starts(with: Array("HTTP/1.1 101".utf8)) { failures.append("\(name): no upgrade") }
            chunk = Array(head[(end + 1)...])
            upgrade = nil
        }
        var read = 0
        var write = 0
        var span = chunk.mutableSpan
        do {
            while try frames.next(&span, read: &read, write: &write) != nil {}
        } catch {
            failures.append("\(name): \(error.words)")
        }
        return Array(chunk[..<write])
    }

    private func take(_ packet: Packet, _ messages: inout [SimulatedMessage]) {
        switch packet {
        case .connAck(let answer): connected(answer, messages)
        case .publish(let publish): received(publish, messages)
        case .acknowledgement(let acknowledgement): received(acknowledgement, &messages)
        case .pingResp: pings -= 1
        case .disconnect(let disconnect):
            goodbye = disconnect.reasonCode
            if ![.sessionTakenOver, .serverShuttingDown].contains(disconnect.reasonCode) {
                failures.append("\(name): DISCONNECT \(disconnect.reasonCode) \(disconnect.reasonString ?? "")")
            }
        default: break
        }
    }

    private func connected(_ answer: ConnAck, _ messages: [SimulatedMessage]) {
        guard answer.reasonCode == .success else {
            if answer.reasonCode != .serverBusy, answer.reasonCode != .serverUnavailable {
                failures.append("\(name): CONNACK \(answer.reasonCode)")
            }
            return
        }
        phase = .connected
        if !answer.sessionPresent {
            if isCore, isSubscribed { failures.append("\(name): the session is lost") }
            outgoing = []
            unreleased = []
        }
        for entry in outgoing {
            if entry.isReleased {
                send(.acknowledgement(Acknowledgement(type: .pubRel, packetIdentifier: entry.id)))
            } else {
                sendPublish(entry.message, messages[entry.message], id: entry.id, dup: true)
            }
        }
    }

    private func received(_ acknowledgement: Acknowledgement, _ messages: inout [SimulatedMessage]) {
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

    private func received(_ publish: Publish, _ messages: [SimulatedMessage]) {
        let id = publish.packetIdentifier
        if publish.qos > .atMostOnce { owed.append((publish.qos == .atLeastOnce ? .pubAck : .pubRec, id)) }
        if publish.qos == .exactlyOnce, !unreleased.insert(id).inserted { return }
        let digits = publish.payload.prefix { $0 != 0x20 }
        guard let number = Int(String(decoding: digits, as: UTF8.self)), number < messages.count,
            publish.payload == messages[number].payload(number), publish.topic == messages[number].topic
        else { return failures.append("\(name): a message that nobody sent") }
        let message = messages[number]
        seen[number, default: 0] += 1
        guard isCore, seen[number] == 1 else { return }
        let key = "\(message.publisher) \(message.topic) \(message.qos)"
        if let last = lastSeen[key], last > number { failures.append("\(name): message \(number) after \(last)") }
        lastSeen[key] = number
    }
}
