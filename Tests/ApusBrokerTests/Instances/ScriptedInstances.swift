import ApusLocks
import ApusMessage
import Synchronization

@testable import ApusBroker

/// Several instances, as a test sets and changes them.
///
/// A CONNECT belongs to the instance that the third part of its user name names, else to that of its listener.
final class ScriptedInstances: InstanceResolver {
    private let known: Guarded<[String: InstanceSettings]>
    /// The last number given out.
    private let made: Atomic<UInt32>

    private let stopped: Set<String>

    /// - Parameters:
    ///   - ids: numbered from 1 in this order, each with the same rules.
    ///   - stopped: those of them that take no connections.
    init(
        _ ids: [String],
        policies: Policies = Policies(),
        limits: InstanceLimits = InstanceLimits(),
        stopped: Set<String> = [],
    ) {
        self.stopped = stopped
        var known: [String: InstanceSettings] = [:]
        for (at, id) in ids.enumerated() {
            let number = InstanceNumber(rawValue: UInt32(at) + 1)
            known[id] = InstanceSettings(number: number, id: id, policies: policies, limits: limits)
        }
        self.known = Guarded(known)
        made = Atomic(UInt32(ids.count))
    }

    func change(_ id: String, _ change: (inout InstanceSettings) -> Void) {
        known.withLock { known in
            guard var settings = known[id] else { return }
            change(&settings)
            known[id] = settings
        }
    }

    /// Another one, with a number that no other has had.
    func add(_ id: String) -> InstanceNumber {
        let number = InstanceNumber(rawValue: made.add(1, ordering: .relaxed).newValue)
        known.withLock { $0[id] = InstanceSettings(number: number, id: id) }
        return number
    }

    func delete(_ id: String) { known.withLock { $0[id] = nil } }

    func resolve(userName: String?, peer: Peer) -> InstanceChoice {
        let parts = (userName ?? "").split(separator: "|", omittingEmptySubsequences: false)
        let id = parts.count == 3 ? String(parts[2]) : peer.listener
        guard let settings = known.withLock({ $0[id] }) else {
            return .refused(explanation: "there is no instance `\(id)`")
        }
        return stopped.contains(id) ? .refused(explanation: "`\(id)` is stopped", by: settings) : .instance(settings)
    }

    func reason(userName: String?, peer: Peer) -> String? {
        userName?.contains("|") == true ? nil : "listener `\(peer.listener)` belongs to it"
    }

    func settings(of instance: InstanceNumber) -> InstanceSettings? {
        known.withLock { $0.values.first { $0.number == instance } }
    }
}

extension InstanceNumber {
    /// The first and the second of ``ScriptedInstances``.
    static let a = InstanceNumber(rawValue: 1)
    static let b = InstanceNumber(rawValue: 2)
}

extension ShardHarness {
    /// The instance's rules have changed.
    func announceChange(of instance: InstanceNumber) {
        broker.instanceChanged(instance)
        settle()
    }
}
