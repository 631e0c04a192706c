/// A client's wish to end subscriptions.
public struct Unsubscribe: Equatable, Sendable {
    /// Returns in the UNSUBACK.
    public var packetIdentifier: PacketIdentifier
    /// The topic filters, at least one [MQTT-3.10.3-2], character by character as they were subscribed to.
    public var topicFilters: [String]
    /// The application's own properties, in order.
    public var userProperties: [UserProperty]

    /// Makes an UNSUBSCRIBE.
    public init(packetIdentifier: PacketIdentifier, topicFilters: [String], userProperties: [UserProperty] = []) {
        self.packetIdentifier = packetIdentifier
        self.topicFilters = topicFilters
        self.userProperties = userProperties
    }

    // MARK: - Coding

    static func decode(_ reader: inout PacketReader, version: ProtocolVersion) throws(DecodeError) -> Unsubscribe {
        var packet = Unsubscribe(packetIdentifier: try reader.packetIdentifier(), topicFilters: [])
        if version == .v5 {
            packet.userProperties = try DecodedProperties(&reader, allowed: .userProperty).userProperties
        }
        guard !reader.isAtEnd else { throw .unsubscribeWithoutFilter }
        while !reader.isAtEnd { packet.topicFilters.append(try reader.topicFilter()) }
        return packet
    }

    func write(to writer: inout FieldWriter, version: ProtocolVersion) {
        writer.append(packetIdentifier)
        if version == .v5 { writer.appendProperties { $0.add(userProperties) } }
        for filter in topicFilters { writer.append(filter) }
    }
}
