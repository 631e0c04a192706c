/// The properties of MQTT 5.0 (section 2.2.2.2).
enum PropertyIdentifier: UInt8, CaseIterable {
    case payloadFormatIndicator = 0x01
    case messageExpiryInterval = 0x02
    case contentType = 0x03
    case responseTopic = 0x08
    case correlationData = 0x09
    case subscriptionIdentifier = 0x0B
    case sessionExpiryInterval = 0x11
    case assignedClientIdentifier = 0x12
    case serverKeepAlive = 0x13
    case authenticationMethod = 0x15
    case authenticationData = 0x16
    case requestProblemInformation = 0x17
    case willDelayInterval = 0x18
    case requestResponseInformation = 0x19
    case responseInformation = 0x1A
    case serverReference = 0x1C
    case reasonString = 0x1F
    case receiveMaximum = 0x21
    case topicAliasMaximum = 0x22
    case topicAlias = 0x23
    case maximumQoS = 0x24
    case retainAvailable = 0x25
    case userProperty = 0x26
    case maximumPacketSize = 0x27
    case wildcardSubscriptionAvailable = 0x28
    case subscriptionIdentifierAvailable = 0x29
    case sharedSubscriptionAvailable = 0x2A
}

/// A set of properties in one word: those that a packet allows, or those already seen in it.
struct PropertySet: Equatable {
    private(set) var bits: UInt64 = 0

    init(_ members: PropertyIdentifier...) {
        for member in members { insert(member) }
    }

    static let userProperty = PropertySet(.userProperty)

    func contains(_ member: PropertyIdentifier) -> Bool { bits & (1 &<< UInt64(member.rawValue)) != 0 }

    mutating func insert(_ member: PropertyIdentifier) { bits |= 1 &<< UInt64(member.rawValue) }
}

/// A name and a value that the application defines; names may repeat and order matters [MQTT-3.3.2-18].
public struct UserProperty: Hashable, Sendable {
    /// The name, at most 65,535 bytes of UTF-8.
    public var name: String
    /// The value, at most 65,535 bytes of UTF-8.
    public var value: String

    /// Makes a pair.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
