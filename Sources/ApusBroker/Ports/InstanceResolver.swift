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
    /// It names an instance that does not exist or takes no connections.
    case refused(explanation: String)
}

/// Says which instance a CONNECT is for, and what rules hold there.
///
/// Called on a shard's thread; must answer from memory.
package protocol InstanceResolver: Sendable {
    /// By the third part of the user name, the TLS server name or the WebSocket Host, else the listener (design,
    /// section 1).
    func resolve(userName: String?, peer: Peer) -> InstanceChoice

    /// The instance as it is now; `nil` once it is gone.
    func settings(of instance: InstanceNumber) -> InstanceSettings?
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
