/// One step of enhanced authentication, in either direction (MQTT 5.0, section 3.15).
public struct Auth: Equatable, Sendable {
    /// *Success* (server), *continue authentication* (both) or *re-authenticate* (client).
    public var reasonCode: ReasonCode
    /// The method, the same as in CONNECT [MQTT-4.12.0-5].
    public var authenticationMethod: String?
    /// What the method wants to say.
    public var authenticationData: [UInt8]?
    /// A sentence for people, not for programs.
    public var reasonString: String?
    /// Further details, in order.
    public var userProperties: [UserProperty]

    /// Makes an AUTH.
    public init(
        reasonCode: ReasonCode,
        authenticationMethod: String?,
        authenticationData: [UInt8]? = nil,
        reasonString: String? = nil,
        userProperties: [UserProperty] = [],
    ) {
        self.reasonCode = reasonCode
        self.authenticationMethod = authenticationMethod
        self.authenticationData = authenticationData
        self.reasonString = reasonString
        self.userProperties = userProperties
    }

    // MARK: - Coding

    private static let allowed = PropertySet(
        .authenticationMethod,
        .authenticationData,
        .reasonString,
        .userProperty,
    )

    static func decode(_ reader: inout PacketReader, sender: Sender) throws(DecodeError) -> Auth {
        var packet = Auth(reasonCode: .success, authenticationMethod: nil)
        if reader.isAtEnd {
            guard packet.reasonCode.isAllowed(in: .auth, from: sender) else { throw .reasonCodeNotAllowed }
            return packet
        }
        packet.reasonCode = try reader.reasonCode(of: .auth, from: sender)
        let properties = try DecodedProperties(&reader, allowed: allowed)
        // Only the short form, a success that says nothing else, goes without a method.
        if properties.authenticationMethod == nil, packet.reasonCode != .success { throw .authenticationMethodMissing }
        packet.authenticationMethod = properties.authenticationMethod
        packet.authenticationData = properties.authenticationData
        packet.reasonString = properties.reasonString
        packet.userProperties = properties.userProperties
        return packet
    }

    func write(to writer: inout FieldWriter) {
        var properties = FieldWriter(detail: writer.detail)
        writeProperties(&properties)
        if properties.bytes.isEmpty, reasonCode == .success { return }
        writer.append(reasonCode.rawValue)
        writer.appendProperties(writeProperties)
    }

    private func writeProperties(_ writer: inout FieldWriter) {
        writer.add(.authenticationMethod, authenticationMethod)
        writer.add(.authenticationData, authenticationData)
        writer.addDiagnostics(reasonString, userProperties)
    }
}
