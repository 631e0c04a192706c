import ApusLocks
import ApusStore
import Testing

@testable import ApusLog

/// The logs of the stores that tests have; each stays until the process ends, because only the test knows its end.
private let logs = Guarded<[ObjectIdentifier: Held]>([:])

/// Handed from test to test, used by one at a time.
private struct Held: @unchecked Sendable {
    let log: LogUnderTest
}

private func makeStore(_ options: LogOptions) -> any MessageStore {
    do {
        let log = try LogUnderTest(SimulatedDisk(), options: options)
        let store = log.stores[0]
        let held = Held(log: log)
        logs.withLock { $0[ObjectIdentifier(store)] = held }
        return store
    } catch {
        Issue.record(error)
        return MemoryStore()
    }
}

private var large: LogOptions {
    var options = LogOptions()
    options.segmentBytes = 128 << 10
    return options
}

private func commitAll(_ store: any MessageStore) {
    let held = logs.withLock { $0[ObjectIdentifier(store)] }
    held?.log.commit()
}

extension StoreUnderTest {
    static let all = [
        StoreUnderTest(name: "LogStore", make: { makeStore(large) }, commit: { commitAll($0) }),
        StoreUnderTest(
            name: "LogStore, small segments",
            make: { makeStore(LogUnderTest.small) },
            commit: { commitAll($0) }
        ),
    ]
}
