internal import ApusBroker
internal import ApusLocks
internal import ApusMessage
internal import ApusResources

/// Instances with the rules and limits that hold in them, remembered until the directory changes.
///
/// Rules are made of a profile and what differs from it; making them for every CONNECT and every topic would cost more
/// than all the rest of the decision.
final class InstanceTable: Sendable {
    /// An instance as it is now.
    struct Entry: Sendable {
        let instance: Instance
        let settings: InstanceSettings

        var isRunning: Bool { instance.state == .running }
    }

    private struct State {
        var revision: UInt64?
        var entries: [InstanceNumber: Entry] = [:]
        /// Made when first asked for; changes of credentials come far oftener than questions for it.
        var numbersByLowercaseID: [String: InstanceNumber]?
        var serverNames: ServerNameTable?
        /// The outer `nil` is for not looked yet.
        var firstRunning: InstanceNumber??
    }

    let directory: ResourceDirectory
    private let state = Guarded(State())

    init(_ directory: ResourceDirectory) { self.directory = directory }

    func entry(_ number: InstanceNumber) -> Entry? {
        withCurrentState { state in
            if let entry = state.entries[number] { return entry }
            guard let instance = directory.instance(number) else { return nil }
            let entry = Self.entry(of: instance)
            state.entries[number] = entry
            return entry
        }
    }

    /// The instance of exactly this id.
    func entry(id: String) -> Entry? {
        guard let instance = directory.instance(id: id) else { return nil }
        return entry(instance.number)
    }

    /// The instance whose id has these letters in any case, as host names do; `id` is in lower case.
    func entry(lowercaseID id: String) -> Entry? {
        let number = withCurrentState { state in
            if let known = state.numbersByLowercaseID { return known[id] }
            let numbers = Dictionary(
                directory.instances.map { ($0.id.lowercased(), $0.number) },
                uniquingKeysWith: { first, _ in first },
            )
            state.numbersByLowercaseID = numbers
            return numbers[id]
        }
        return number.flatMap(entry)
    }

    /// The instance that has set this server name, which is in lower case.
    func entry(serverName name: String) -> Entry? {
        let number = withCurrentState { state in
            let names = state.serverNames ?? ServerNameTable(directory.serverNames)
            state.serverNames = names
            return names.instance(for: name)
        }
        return number.flatMap(entry)
    }

    /// The running instance with the lowest number.
    var firstRunning: Entry? {
        let number = withCurrentState { state -> InstanceNumber? in
            if let known = state.firstRunning { return known }
            let first = directory.instances.filter { $0.state == .running }.map(\.number).min()
            state.firstRunning = .some(first)
            return first
        }
        return number.flatMap(entry)
    }

    /// The directory has a lock of its own and never calls back.
    private func withCurrentState<Result>(_ body: (inout State) -> Result) -> Result {
        state.withLock { state in
            // Read before what it stands for: what changes in between is found at the next call.
            let revision = directory.revision
            if state.revision != revision {
                state = State()
                state.revision = revision
            }
            return body(&state)
        }
    }

    private static func entry(of instance: Instance) -> Entry {
        Entry(
            instance: instance,
            settings: InstanceSettings(
                number: instance.number,
                id: instance.id,
                policies: instance.effectivePolicies,
                limits: instance.effectiveLimits,
            )
        )
    }
}
