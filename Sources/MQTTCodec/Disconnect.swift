/// The last packet of a connection; only a client sends it in MQTT 3.x.
public struct Disconnect: Equatable, Sendable {
    /// Why the connection ends; MQTT 3.x knows only success.
    public var reasonCode: ReasonCode
    /// Seconds that the session shall live on; only from a client [MQTT-3.14.2-2].
    public var sessionExpiryInterval: UInt32?
    /// A sentence for people, not for programs.
    public var reasonString: String?
    /// Further details, in order.
    public var userProperties: [UserProperty]
    /// Another server to use; only from a server.
    public var serverReference: String?

    /// Makes a DISCONNECT.
    public init(
        reasonCode: ReasonCode = .success,
        sessionExpiryInterval: UInt32? = nil,
        reasonString: String? = nil,
        userProperties: [UserProperty] = [],
        serverReference: String? = nil,
    ) {
        self.reasonCode = reasonCode
        self.sessionExpiryInterval = sessionExpiryInterval
        self.reasonString = reasonString
        self.userProperties = userProperties
        self.serverReference = serverReference
    }

    // MARK: - Coding

    private static let allowed = PropertySet(.sessionExpiryInterval, .reasonString, .userProperty, .serverReference)

    static func decode(
        _ reader: inout PacketReader,
        version: ProtocolVersion,
        sender: Sender,
    ) throws(DecodeError) -> Disconnect {
        var packet = Disconnect()
        guard version == .v5, !reader.isAtEnd else { return packet }
        packet.reasonCode = try reader.reasonCode(of: .disconnect, from: sender)
        if reader.isAtEnd { return packet }
        let properties = try DecodedProperties(&reader, allowed: allowed)
        if sender == .server, properties.sessionExpiryInterval != nil { throw .sessionExpiryFromServer }
        if sender == .client, properties.serverReference != nil { throw .serverReferenceFromClient }
        packet.sessionExpiryInterval = properties.sessionExpiryInterval
        packet.reasonString = properties.reasonString
        packet.userProperties = properties.userProperties
        packet.serverReference = properties.serverReference
        return packet
    }

    /// The short forms leave out what says nothing (MQTT 5.0, section 3.14.2).
    func write(to writer: inout FieldWriter, version: ProtocolVersion) {
        guard version == .v5 else { return }
        var properties = FieldWriter(detail: writer.detail)
        writeProperties(&properties)
        if properties.bytes.isEmpty {
            if reasonCode != .success { writer.append(reasonCode.rawValue) }
        } else {
            writer.append(reasonCode.rawValue)
            writer.appendProperties(writeProperties)
        }
    }

    private func writeProperties(_ writer: inout FieldWriter) {
        writer.add(.sessionExpiryInterval, sessionExpiryInterval)
        writer.addDiagnostics(reasonString, userProperties)
        writer.add(.serverReference, serverReference)
    }
}
