internal import ApusLocks
internal import ApusLoop
internal import Synchronization

/// What all loops share of one listener: its limit and its certificate.
final class ListenerGate: Sendable {
    let configuration: ListenerConfiguration
    let index: Int
    private let connectionCount = Atomic<Int>(0)
    /// For connections that begin now; those that stand keep theirs.
    ///
    /// Nil on a listener without TLS.
    let context: TLSContextBox?
    private let tls: Guarded<TLSServerConfiguration?>

    init(_ configuration: ListenerConfiguration, index: Int, context: TLSContextBox?) {
        self.configuration = configuration
        self.index = index
        self.context = context
        tls = Guarded(configuration.tls)
    }

    /// What `context` was made from: the listener's own settings until a reload brings others.
    var tlsSettings: TLSServerConfiguration? { tls.withLock { $0 } }

    /// For connections that begin from now on; not for a listener without TLS.
    func replaceContext(with new: TLSContext, madeFrom settings: TLSServerConfiguration) {
        tls.withLock { $0 = settings }
        context?.replace(with: new)
    }

    /// Counts a connection in; false, and nothing counted, when the listener has its maximum.
    func enter() -> Bool {
        let before = connectionCount.wrappingAdd(1, ordering: .relaxed).oldValue
        if before < configuration.maximumConnections { return true }
        connectionCount.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    func leave() { connectionCount.wrappingSubtract(1, ordering: .relaxed) }
}
