package import MQTTCodec

/// Which defaults an instance begins with (design, section 1).
package enum Profile: String, Sendable, CaseIterable {
    /// As the real service: groups, parent topics, P2P messages.
    case apsaramq
    /// As any MQTT broker.
    case standard
}

/// The rules of an instance that differ between profiles (design, section 1); here those of the `standard` profile.
package struct Policies: Sendable, Equatable {
    /// What happens to a CONNECT whose client id is in use.
    package enum DuplicateClientID: String, Sendable, CaseIterable {
        /// The older connection is closed with 0x8E [MQTT-3.1.4-3].
        case takeover
        /// The newcomer is refused, and the older connection probed: a ghost does not lock its device out.
        case refuse
    }

    /// What follows a publish or subscribe without the right to its topic.
    package enum OnDenied: String, Sendable, CaseIterable {
        /// QoS 0 is dropped, QoS 1 and 2 are acknowledged with 0x87 (5.0) or acknowledged and dropped (3.1.1); a
        /// subscription gets 0x87 or 0x80.
        case refuse
        /// The connection is closed.
        case close
    }

    package var duplicateClientID = DuplicateClientID.takeover
    package var onDenied = OnDenied.refuse
    package var maximumQoS = QoS.exactlyOnce
    /// Whether client ids are `GroupID@@@DeviceID` of an existing group, at most 64 printable characters.
    package var requiresGroup = false
    /// Whether the first level of a topic must be a parent topic that was created, and the topic at most
    /// ``InstanceLimits/topicCharacters`` long.
    package var requiresParentTopic = false
    /// Whether QoS 2 subscriptions of a persistent session take effect (apsaramq-facts 3.1).
    package var persistentQoS2 = true
    /// Whether `{parent}/p2p/{clientId}` reaches that client without a subscription (apsaramq-facts 3.2).
    package var p2p = false
    /// Whether a connection on a loopback listener may come without user name.
    package var anonymousOnLoopback = true
    /// Whether events are kept for the trace queries.
    package var trace = true

    package init() {}

    /// The rules of a profile, with what differs from them.
    package init(_ profile: Profile, _ overrides: PolicyOverrides = PolicyOverrides()) {
        if profile == .apsaramq {
            duplicateClientID = .refuse
            onDenied = .close
            requiresGroup = true
            requiresParentTopic = true
            persistentQoS2 = false
            p2p = true
            anonymousOnLoopback = false
        }
        duplicateClientID = overrides.duplicateClientID ?? duplicateClientID
        onDenied = overrides.onDenied ?? onDenied
        maximumQoS = overrides.maximumQoS ?? maximumQoS
        requiresGroup = overrides.requiresGroup ?? requiresGroup
        requiresParentTopic = overrides.requiresParentTopic ?? requiresParentTopic
        persistentQoS2 = overrides.persistentQoS2 ?? persistentQoS2
        p2p = overrides.p2p ?? p2p
        anonymousOnLoopback = overrides.anonymousOnLoopback ?? anonymousOnLoopback
        trace = overrides.trace ?? trace
    }
}

/// What of an instance's rules differs from its profile; `nil` is as in the profile.
package struct PolicyOverrides: Sendable, Hashable {
    package var duplicateClientID: Policies.DuplicateClientID?
    package var onDenied: Policies.OnDenied?
    package var maximumQoS: QoS?
    package var requiresGroup: Bool?
    package var requiresParentTopic: Bool?
    package var persistentQoS2: Bool?
    package var p2p: Bool?
    package var anonymousOnLoopback: Bool?
    package var trace: Bool?

    package init() {}
}
