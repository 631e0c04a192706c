package import ApusMessage

/// A tenant: endpoint, parent topics, groups, credentials, limits and policies of its own (apsaramq-facts 1).
package struct Instance: Sendable, Hashable {
    /// Whether the instance takes connections.
    package enum State: String, Sendable, CaseIterable {
        case running
        /// New connections are refused and live ones closed.
        case stopped
    }

    /// The instance in the message log: 1 …, given by the catalog at creation and never given again.
    ///
    /// `.none` or provisional (``ProvisionalNumbers``) in a value that is yet to be created.
    package var number: InstanceNumber
    /// 3 … 64 of `0-9a-zA-Z-_`, unique without regard to case.
    package var id: String
    /// As `id`; the id if nothing else was chosen.
    package var name: String
    package var account: String
    package var profile: Profile
    /// What differs from the profile.
    package var policies: PolicyOverrides
    /// What differs from the profile.
    package var limits: LimitOverrides
    package var state: State
    /// Unix milliseconds.
    package var createdAt: Int64

    package init(
        number: InstanceNumber = .none,
        id: String,
        name: String? = nil,
        account: String,
        profile: Profile,
        policies: PolicyOverrides = PolicyOverrides(),
        limits: LimitOverrides = LimitOverrides(),
        state: State = .running,
        createdAt: Int64,
    ) {
        self.number = number
        self.id = id
        self.name = name ?? id
        self.account = account
        self.profile = profile
        self.policies = policies
        self.limits = limits
        self.state = state
        self.createdAt = createdAt
    }

    /// The rules that hold: the profile's, with what differs from them.
    package var effectivePolicies: Policies { Policies(profile, policies) }
    /// The limits that hold, likewise.
    package var effectiveLimits: InstanceLimits { InstanceLimits(profile, limits) }
}

/// The first level of topics, created before use (apsaramq-facts 1).
package struct ParentTopic: Sendable, Hashable {
    package var instance: InstanceNumber
    /// 3 … 64 of `0-9a-zA-Z-_`, unique in its instance without regard to case.
    package var name: String
    /// Free text, up to 128 characters.
    package var remark: String
    /// Unix milliseconds.
    package var createdAt: Int64

    package init(instance: InstanceNumber, name: String, remark: String = "", createdAt: Int64) {
        self.instance = instance
        self.name = name
        self.remark = remark
        self.createdAt = createdAt
    }
}

/// The first part of client ids, created before use (apsaramq-facts 1, 4.4.9).
package struct Group: Sendable, Hashable {
    package var instance: InstanceNumber
    /// 7 … 64, `GID_` or `GID-`, then letters, digits, `-`, `_`.
    package var id: String
    /// Unix milliseconds.
    package var createdAt: Int64
    /// Unix milliseconds.
    package var updatedAt: Int64

    package init(instance: InstanceNumber, id: String, createdAt: Int64, updatedAt: Int64) {
        self.instance = instance
        self.id = id
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// A tag bound to a resource (apsaramq-facts 4.4.30, 4.4.46).
package struct Tag: Sendable, Hashable {
    /// What carries tags.
    package enum Kind: String, Sendable, CaseIterable {
        case instance = "INSTANCE"
        case group = "GROUP"
        case topic = "TOPIC"
    }

    package var instance: InstanceNumber
    package var kind: Kind
    /// The instance's id, the group's id or the topic's name.
    package var resource: String
    /// 1 … 64 characters.
    package var key: String
    /// Up to 128 characters.
    package var value: String

    package init(instance: InstanceNumber, kind: Kind, resource: String, key: String, value: String) {
        self.instance = instance
        self.kind = kind
        self.resource = resource
        self.key = key
        self.value = value
    }
}
