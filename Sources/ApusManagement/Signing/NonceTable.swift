internal import ApusLocks

/// The nonces of requests that were let in, so that none is let in twice.
///
/// A nonce is remembered for as long as its request's time is within the window, at most twice the window. Each costs
/// about 24 bytes: what is kept is a hash under a key of the process.
///
/// When the table is full, the access key with the most nonces loses its oldest, and its requests of those times are
/// refused from then on: nobody shuts out others by calling often.
final class NonceTable: Sendable {
    /// How far a request's time may be from now, each way; milliseconds.
    static let window: Int64 = 15 * 60_000
    static let mostNonces = 2_000_000

    private struct Nonces {
        var known: Set<UInt64> = []
        /// What may be forgotten when a minute has passed.
        var byMinute: [Int64: [UInt64]] = [:]
        /// Of requests that could be forgotten by this minute a replay could not be told from a new one any more.
        var lostMinute = Int64.min

        /// - Returns: how many there were.
        mutating func forget(_ minute: Int64) -> Int {
            let hashes = byMinute.removeValue(forKey: minute) ?? []
            for hash in hashes { known.remove(hash) }
            return hashes.count
        }
    }

    private struct State {
        var byKey: [String: Nonces] = [:]
        var count = 0
        var lastMinute = Int64.min
    }

    enum Outcome: Equatable {
        case new
        case used
        /// Whether it was used is no longer known, because its key has used so many since.
        case lost
    }

    private let capacity: Int
    private let state = Guarded(State())

    /// - Parameter capacity: of all keys together, at least 1.
    init(capacity: Int = NonceTable.mostNonces) { self.capacity = capacity }

    /// Remembers the nonce of a request of that time, which is within the window.
    func use(_ nonce: String, of keyID: String, time: Int64, now: Int64) -> Outcome {
        var hasher = Hasher()
        hasher.combine(nonce)
        let hash = UInt64(bitPattern: Int64(hasher.finalize()))
        let minute = (time + Self.window) / 60_000 + 1
        return state.withLock { state in
            Self.forget(&state, until: now / 60_000)
            if let nonces = state.byKey[keyID] {
                guard !nonces.known.contains(hash) else { return .used }
                guard minute > nonces.lostMinute else { return .lost }
            }
            if state.count >= capacity { Self.makeRoom(&state) }
            guard minute > state.byKey[keyID]?.lostMinute ?? .min else { return .lost }
            state.byKey[keyID, default: Nonces()].known.insert(hash)
            state.byKey[keyID]?.byMinute[minute, default: []].append(hash)
            state.count += 1
            return .new
        }
    }

    /// Once a minute: what has been within the window until then.
    private static func forget(_ state: inout State, until minute: Int64) {
        guard minute > state.lastMinute else { return }
        state.lastMinute = minute
        for key in Array(state.byKey.keys) {
            guard var nonces = state.byKey.removeValue(forKey: key) else { continue }
            for passed in nonces.byMinute.keys where passed <= minute { state.count -= nonces.forget(passed) }
            if !nonces.known.isEmpty || nonces.lostMinute > minute { state.byKey[key] = nonces }
        }
    }

    private static func makeRoom(_ state: inout State) {
        guard let key = state.byKey.max(by: { $0.value.known.count < $1.value.known.count })?.key,
            var nonces = state.byKey.removeValue(forKey: key), let oldest = nonces.byMinute.keys.min()
        else { return }
        state.count -= nonces.forget(oldest)
        nonces.lostMinute = oldest
        state.byKey[key] = nonces
    }
}
