/// The bounds of one instance, beneath those of the process (``Limits``); 0 is no bound of its own.
///
/// Each refusal names its limit. Sources: apsaramq-facts 7.
package struct InstanceLimits: Sendable, Equatable {
    /// Live connections; a further CONNECT gets 0x97 (3.1.1: 3).
    package var connections = 0
    /// PUBLISH packets of all clients in a second; more are not read until the next.
    package var publishPerSecond = 0
    /// PUBLISH packets of one client in a second, likewise.
    package var clientPublishPerSecond = 0
    /// Bytes of a payload; a larger one closes the connection (`invalid param`).
    package var payloadBytes = 0
    /// Characters of a whole topic; the `p2p/{clientId}` part does not count.
    package var topicCharacters = 0
    /// Subscriptions of one session; a further one gets 0x97 or 0x80.
    package var subscriptionsPerClient = 0
    /// Parent topics of the instance.
    package var parentTopics = 0
    /// Groups of the instance.
    package var groups = 0
    /// Subscriptions with wildcards under one parent topic; a further one gets 0x97 or 0x80.
    package var wildcardSubscriptionsPerParent = 0
    /// Longest keep alive of a 5.0 client in seconds.
    package var keepAliveSeconds: UInt16 = 0
    /// Topic aliases each way of a 5.0 client; at most those of the process.
    package var topicAliases: UInt16 = 0
    /// Messages waiting for sessions that are away; the oldest go first.
    package var offlineMessages = 0
    /// Seconds for which a message waits for a session that is away.
    package var offlineSeconds = 0
    /// Entries of custom authentication: identities, and permissions with bans (`Customauth.over.capacity`).
    package var customAuthEntries = 0
    /// Device credentials, and as many device certificates.
    package var deviceCredentials = 0
    /// Retained messages; a further one is not kept.
    package var retainedMessages = 0
    /// Bytes of retained messages with their topics and what the index needs, likewise.
    package var retainedBytes = 0

    package init() {}

    /// Whether PUBLISH packets must be counted by the second.
    package var hasRate: Bool { publishPerSecond > 0 || clientPublishPerSecond > 0 }

    /// The limits of a profile, with what differs from them.
    package init(_ profile: Profile, _ overrides: LimitOverrides = LimitOverrides()) {
        if profile == .apsaramq {
            connections = 100_000
            publishPerSecond = 50_000
            payloadBytes = 65_536
            topicCharacters = 64
            subscriptionsPerClient = 30
            parentTopics = 25
            groups = 1_000
            wildcardSubscriptionsPerParent = 100
            keepAliveSeconds = 480
            topicAliases = 30
            offlineMessages = 1_000_000
            offlineSeconds = 259_200
            customAuthEntries = 100_000
            deviceCredentials = 1_000_000
            retainedMessages = 100_000
            retainedBytes = 67_108_864
        }
        for (name, value) in overrides.values { self[name] = value }
    }

    /// The limits by the names that the resources file and the API use.
    package enum Name: String, Sendable, CaseIterable {
        case connections, publishPerSecond, clientPublishPerSecond, payloadBytes, topicCharacters
        case subscriptionsPerClient, parentTopics, groups, wildcardSubscriptionsPerParent, keepAliveSeconds
        case topicAliases, offlineMessages, offlineSeconds, customAuthEntries, deviceCredentials
        case retainedMessages, retainedBytes

        /// What a value may be.
        package var range: ClosedRange<Int> {
            switch self {
            case .keepAliveSeconds, .topicAliases: 0...65_535
            case .topicCharacters: 0...65_535
            case .payloadBytes: 0...268_435_455
            default: 0...1_000_000_000
            }
        }
    }

    /// One limit by name; a value past `Name.range` is brought into it.
    package subscript(name: Name) -> Int {
        get {
            switch name {
            case .connections: connections
            case .publishPerSecond: publishPerSecond
            case .clientPublishPerSecond: clientPublishPerSecond
            case .payloadBytes: payloadBytes
            case .topicCharacters: topicCharacters
            case .subscriptionsPerClient: subscriptionsPerClient
            case .parentTopics: parentTopics
            case .groups: groups
            case .wildcardSubscriptionsPerParent: wildcardSubscriptionsPerParent
            case .keepAliveSeconds: Int(keepAliveSeconds)
            case .topicAliases: Int(topicAliases)
            case .offlineMessages: offlineMessages
            case .offlineSeconds: offlineSeconds
            case .customAuthEntries: customAuthEntries
            case .deviceCredentials: deviceCredentials
            case .retainedMessages: retainedMessages
            case .retainedBytes: retainedBytes
            }
        }
        set {
            let value = min(max(newValue, name.range.lowerBound), name.range.upperBound)
            switch name {
            case .connections: connections = value
            case .publishPerSecond: publishPerSecond = value
            case .clientPublishPerSecond: clientPublishPerSecond = value
            case .payloadBytes: payloadBytes = value
            case .topicCharacters: topicCharacters = value
            case .subscriptionsPerClient: subscriptionsPerClient = value
            case .parentTopics: parentTopics = value
            case .groups: groups = value
            case .wildcardSubscriptionsPerParent: wildcardSubscriptionsPerParent = value
            case .keepAliveSeconds: keepAliveSeconds = UInt16(value)
            case .topicAliases: topicAliases = UInt16(value)
            case .offlineMessages: offlineMessages = value
            case .offlineSeconds: offlineSeconds = value
            case .customAuthEntries: customAuthEntries = value
            case .deviceCredentials: deviceCredentials = value
            case .retainedMessages: retainedMessages = value
            case .retainedBytes: retainedBytes = value
            }
        }
    }
}

/// What of an instance's limits differs from its profile.
package struct LimitOverrides: Sendable, Hashable {
    package var values: [InstanceLimits.Name: Int] = [:]

    package init(_ values: [InstanceLimits.Name: Int] = [:]) { self.values = values }
}
