/// One client of a script: a connection, and the packets that came and were not asked for yet.
final class WireClient {
    let name: String
    let version: Int
    /// Whether a CONNACK with reason code 0 has come.
    private(set) var isAccepted = false
    private let socket: WireSocket
    private var bytes: [UInt8] = []
    private var inbox: [[String: JSONValue]] = []
    private(set) var hasEnded = false
    private var lastIdentifier = 0

    init(name: String, version: Int, port: UInt16) throws {
        self.name = name
        self.version = version
        socket = try WireSocket(port: port)
    }

    /// A packet identifier for the steps that choose one themselves; scripts choose below 1000.
    func nextIdentifier() -> Int {
        lastIdentifier += 1
        return 1000 + lastIdentifier
    }

    func send(_ value: JSONValue, chunk: Int? = nil) throws {
        let bytes = try PacketWriter.bytes(of: value, version: version, client: name)
        guard let chunk else { return try socket.send(bytes) }
        for start in stride(from: 0, to: bytes.count, by: chunk) {
            try socket.send(Array(bytes[start..<min(start + chunk, bytes.count)]))
        }
    }

    /// The next packet; nil at the end of the connection.
    func next() throws -> [String: JSONValue]? {
        if !inbox.isEmpty { return inbox.removeFirst() }
        return try read()
    }

    /// The next packet that the test wants; others stay for later steps, in their order.
    func next(
        _ what: String,
        where isWanted: ([String: JSONValue]) -> Bool,
    ) throws -> [String: JSONValue] {
        if let index = inbox.firstIndex(where: isWanted) { return inbox.remove(at: index) }
        while let packet = try read() {
            if isWanted(packet) { return packet }
            inbox.append(packet)
        }
        throw ScriptError.unexpected("\(name): closed instead of \(what)\(leftover)")
    }

    /// Nothing but the end of the connection.
    func expectEnd() throws {
        if let packet = try next() {
            throw ScriptError.unexpected("\(name): not closed, sent \(JSONValue.object(packet))")
        }
    }

    /// Puts what came before the answer to a PINGREQ into the inbox.
    func ping() throws {
        guard try pingIfOpen() else { throw ScriptError.unexpected("\(name): closed instead of PINGRESP\(leftover)") }
    }

    /// The same; false when the broker has closed the connection, as it may in the case of a takeover.
    @discardableResult
    func pingIfOpen() throws -> Bool {
        try send(["packet": .string("PINGREQ")])
        while let packet = try read() {
            if packet["packet"] == .string("PINGRESP") { return true }
            inbox.append(packet)
        }
        return false
    }

    /// A packet that came already and was not asked for.
    func takeFromInbox() -> [String: JSONValue]? { inbox.isEmpty ? nil : inbox.removeFirst() }

    func expectEmptyInbox() throws {
        guard let packet = inbox.first else { return }
        throw ScriptError.unexpected("\(name): expected nothing, came \(JSONValue.object(packet))")
    }

    private func send(_ packet: [String: JSONValue]) throws { try send(.object(packet)) }

    private var leftover: String {
        inbox.isEmpty ? "" : "; before it came \(JSONValue.array(inbox.map { .object($0) }))"
    }

    private func read() throws -> [String: JSONValue]? {
        let deadline = Deadline(Patience.answer)
        while true {
            if let packet = try PacketReader.take(from: &bytes, version: version) {
                if packet["packet"] == .string("CONNACK"), packet["reasonCode"]?.integer == 0 { isAccepted = true }
                return packet
            }
            if hasEnded {
                guard bytes.isEmpty else { throw ScriptError.malformed("half a packet, then closed") }
                return nil
            }
            guard let chunk = try socket.receive(until: deadline) else {
                throw ScriptError.timedOut("\(name): nothing came, not even the end of the connection\(leftover)")
            }
            if chunk.isEmpty { hasEnded = true } else { bytes += chunk }
        }
    }
}
