extension Connect {
    /// The version that a CONNECT names, even if the rest of it is malformed; `nil` when the name or the level is
    /// unknown.
    ///
    /// After a failed decoding it tells which kind of CONNACK the peer understands.
    public static func announcedVersion(in bytes: Span<UInt8>, frame: Frame) -> ProtocolVersion? {
        var reader = PacketReader(bytes, frame.body)
        do {
            return try readVersion(&reader)
        } catch {
            return nil
        }
    }

    /// Decodes the CONNECT in `frame`; it names its version itself.
    public static func decode(_ bytes: Span<UInt8>, frame: Frame) throws(DecodeError) -> Connect {
        var reader = PacketReader(bytes, frame.body)
        let version = try readVersion(&reader)
        try frame.checkHeader(version)
        let flags = try ConnectFlags(decoding: reader.byte(), version: version)
        let keepAliveSeconds = try reader.uint16()
        let properties = version == .v5 ? try DecodedProperties(&reader, allowed: allowed) : DecodedProperties()

        var packet = Connect(
            version: version,
            clientIdentifier: try reader.string(),
            cleanStart: flags.cleanStart,
            keepAliveSeconds: keepAliveSeconds,
        )
        packet.take(properties)
        if flags.hasWill {
            packet.will = try Will(&reader, qos: flags.willQoS, retain: flags.willRetain, version: version)
        }
        // MQTT 3.1 lets the remaining length win over these two flags, for the sake of still older clients.
        let mayEndEarly = version == .v3_1
        if flags.hasUserName, !(mayEndEarly && reader.isAtEnd) { packet.userName = try reader.string() }
        if flags.hasPassword, !(mayEndEarly && reader.isAtEnd) { packet.password = try reader.binary() }
        try reader.finish()
        return packet
    }

    func write(to writer: inout FieldWriter) {
        writer.append(version == .v3_1 ? "MQIsdp" : "MQTT")
        writer.append(version.rawValue)
        writer.append(ConnectFlags(of: self).rawValue)
        writer.append(keepAliveSeconds)
        if version == .v5 { writer.appendProperties(writeProperties) }
        writer.append(clientIdentifier)
        will?.write(to: &writer, version: version)
        if let userName { writer.append(userName) }
        if let password { writer.append(password) }
    }

    // MARK: - Details

    private static let allowed = PropertySet(
        .sessionExpiryInterval,
        .receiveMaximum,
        .maximumPacketSize,
        .topicAliasMaximum,
        .requestResponseInformation,
        .requestProblemInformation,
        .userProperty,
        .authenticationMethod,
        .authenticationData,
    )

    private static func readVersion(_ reader: inout PacketReader) throws(DecodeError) -> ProtocolVersion {
        let name = try reader.lengthPrefixed()
        let isMQTT = reader.bytes.array(name) == Array("MQTT".utf8)
        guard isMQTT || reader.bytes.array(name) == Array("MQIsdp".utf8) else { throw .protocolNameUnknown }
        let level = try reader.byte()
        switch (isMQTT, level) {
        case (false, 3): return .v3_1
        case (true, 4): return .v3_1_1
        case (true, 5): return .v5
        // The top bit marks a bridge of some brokers; such a peer speaks MQTT 3.
        case (true, 6...0x7F): throw .protocolLevelAboveFive
        default: throw .protocolLevelUnknown
        }
    }

    private mutating func take(_ properties: DecodedProperties) {
        sessionExpiryInterval = properties.sessionExpiryInterval ?? 0
        receiveMaximum = properties.receiveMaximum ?? .max
        maximumPacketSize = properties.maximumPacketSize
        topicAliasMaximum = properties.topicAliasMaximum ?? 0
        requestResponseInformation = properties.requestResponseInformation ?? false
        requestProblemInformation = properties.requestProblemInformation ?? true
        userProperties = properties.userProperties
        authenticationMethod = properties.authenticationMethod
        authenticationData = properties.authenticationData
    }

    private func writeProperties(_ writer: inout FieldWriter) {
        writer.add(.sessionExpiryInterval, sessionExpiryInterval.unless(0))
        writer.add(.receiveMaximum, receiveMaximum.unless(.max))
        writer.add(.maximumPacketSize, maximumPacketSize)
        writer.add(.topicAliasMaximum, topicAliasMaximum.unless(0))
        writer.add(.requestResponseInformation, requestResponseInformation.unless(false))
        writer.add(.requestProblemInformation, requestProblemInformation.unless(true))
        writer.add(userProperties)
        writer.add(.authenticationMethod, authenticationMethod)
        writer.add(.authenticationData, authenticationData)
    }
}

/// The flags byte of CONNECT (MQTT 5.0, section 3.1.2.3).
struct ConnectFlags {
    let rawValue: UInt8

    var cleanStart: Bool { rawValue & 0x02 != 0 }
    var hasWill: Bool { rawValue & 0x04 != 0 }
    var willQoS: QoS { QoS(rawValue: (rawValue >> 3) & 0b11) ?? .atMostOnce }
    var willRetain: Bool { rawValue & 0x20 != 0 }
    var hasPassword: Bool { rawValue & 0x40 != 0 }
    var hasUserName: Bool { rawValue & 0x80 != 0 }

    init(decoding byte: UInt8, version: ProtocolVersion) throws(DecodeError) {
        rawValue = byte
        guard byte & 0x01 == 0 else { throw .connectFlagReserved }
        if hasWill {
            guard byte & 0x18 != 0x18 else { throw .willQoSInvalid }
        } else {
            guard byte & 0x18 == 0 else { throw .willQoSWithoutWill }
            guard !willRetain else { throw .willRetainWithoutWill }
        }
        if version < .v5, hasPassword, !hasUserName { throw .passwordWithoutUserName }
    }

    init(of packet: Connect) {
        var byte: UInt8 = packet.cleanStart ? 0x02 : 0
        if let will = packet.will {
            byte |= 0x04 | will.qos.rawValue << 3 | (will.retain ? 0x20 : 0)
        }
        if packet.password != nil { byte |= 0x40 }
        if packet.userName != nil { byte |= 0x80 }
        rawValue = byte
    }
}
