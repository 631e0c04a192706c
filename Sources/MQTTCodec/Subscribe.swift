/// A client's wish to receive what matches some topic filters.
public struct Subscribe: Equatable, Sendable {
    /// One topic filter and how its messages are wanted.
    public struct Request: Hashable, Sendable {
        /// The topic filter: UTF-8 and not empty; its wildcards are not checked here.
        public var topicFilter: String
        /// How the messages are wanted.
        public var options: SubscriptionOptions

        /// Makes a request.
        public init(_ topicFilter: String, _ options: SubscriptionOptions) {
            self.topicFilter = topicFilter
            self.options = options
        }
    }

    /// Returns in the SUBACK [MQTT-3.8.4-2].
    public var packetIdentifier: PacketIdentifier
    /// The requests, at least one [MQTT-3.8.3-2]; each gets one reason code, in order.
    public var requests: [Request]
    /// What the server shall mark matching messages with, 1 to 268,435,455; 0 for nothing.
    public var subscriptionIdentifier: UInt32
    /// The application's own properties, in order.
    public var userProperties: [UserProperty]

    /// Makes a SUBSCRIBE.
    public init(
        packetIdentifier: PacketIdentifier,
        requests: [Request],
        subscriptionIdentifier: UInt32 = 0,
        userProperties: [UserProperty] = [],
    ) {
        self.packetIdentifier = packetIdentifier
        self.requests = requests
        self.subscriptionIdentifier = subscriptionIdentifier
        self.userProperties = userProperties
    }

    // MARK: - Coding

    private static let allowed = PropertySet(.subscriptionIdentifier, .userProperty)

    static func decode(_ reader: inout PacketReader, version: ProtocolVersion) throws(DecodeError) -> Subscribe {
        var packet = Subscribe(packetIdentifier: try reader.packetIdentifier(), requests: [])
        if version == .v5 {
            let properties = try DecodedProperties(&reader, allowed: allowed)
            packet.subscriptionIdentifier = properties.subscriptionIdentifiers.first ?? 0
            packet.userProperties = properties.userProperties
        }
        guard !reader.isAtEnd else { throw .subscribeWithoutFilter }
        while !reader.isAtEnd {
            let filter = try reader.topicFilter()
            let options = try SubscriptionOptions(decoding: reader.byte(), version: version)
            if options.noLocal, filter.utf8.starts(with: "$share/".utf8) { throw .noLocalOnSharedSubscription }
            packet.requests.append(Request(filter, options))
        }
        return packet
    }

    func write(to writer: inout FieldWriter, version: ProtocolVersion) {
        writer.append(packetIdentifier)
        if version == .v5 {
            writer.appendProperties { properties in
                properties.add(subscriptionIdentifier: subscriptionIdentifier)
                properties.add(userProperties)
            }
        }
        for request in requests {
            writer.append(request.topicFilter)
            writer.append(request.options.encoded(version))
        }
    }
}

extension PacketReader {
    /// A topic filter: UTF-8 and not empty [MQTT-4.7.3-1]; whether its wildcards stand well is for the topic index.
    mutating func topicFilter() throws(DecodeError) -> String {
        let range = try stringRange()
        guard !range.isEmpty else { throw .topicFilterEmpty }
        return bytes.string(range)
    }
}
