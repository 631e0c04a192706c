package import ApusMessage

/// What the broker has to know of an instance.
package struct InstanceSettings: Sendable, Equatable {
    package var number: InstanceNumber
    /// Empty for the only instance of a broker without a catalog.
    package var id: String
    package var policies: Policies
    package var limits: InstanceLimits

    package init(
        number: InstanceNumber = .none,
        id: String = "",
        policies: Policies = Policies(),
        limits: InstanceLimits = InstanceLimits(),
    ) {
        self.number = number
        self.id = id
        self.policies = policies
        self.limits = limits
    }
}

/// Where a CONNECT belongs.
package enum InstanceChoice: Sendable, Equatable {
    case instance(InstanceSettings)
    /// It names an instance that does not exist or takes no connections; `by` is the latter, whose trace tells of it.
    case refused(explanation: String, by: InstanceSettings? = nil)
}

/// Says which instance a CONNECT is for, and what rules hold there.
///
/// Called on a shard's thread; must answer from memory.
package protocol InstanceResolver: Sendable {
    /// By the third part of the user name, the TLS server name or the WebSocket Host, else the listener (design,
    /// section 1).
    func resolve(userName: String?, peer: Peer) -> InstanceChoice

    /// Why `resolve` has chosen the instance that it has, for the log of a login that was refused there, and how to reach
    /// another; `nil` where the user name has named it, or there is but one.
    func reason(userName: String?, peer: Peer) -> String?

    /// The instance as it is now; `nil` once it is gone.
    func settings(of instance: InstanceNumber) -> InstanceSettings?
}

extension InstanceResolver {
    package func reason(userName: String?, peer: Peer) -> String? { nil }
}

/// One instance for everybody: the broker without a catalog.
package struct SingleInstance: InstanceResolver {
    package let settings: InstanceSettings

    package init(_ settings: InstanceSettings = InstanceSettings()) { self.settings = settings }

    package func resolve(userName: String?, peer: Peer) -> InstanceChoice { .instance(settings) }

    package func settings(of instance: InstanceNumber) -> InstanceSettings? {
        instance == settings.number ? settings : nil
    }
}
