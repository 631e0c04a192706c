internal import Synchronization

/// The nonces of requests that were let in, so that none is let in twice.
///
/// A nonce is remembered for as long as its request's time is within the window, at most twice the window. Each costs
/// about 24 bytes: what is kept is a hash under a key of the process.
final class NonceTable: Sendable {
    /// How far a request's time may be from now, each way; milliseconds.
    static let window: Int64 = 15 * 60_000
    /// More are not remembered; requests are refused then, as a replay could not be told from a new one.
    static let mostNonces = 2_000_000

    private struct State {
        var known: Set<UInt64> = []
        /// What may be forgotten when a minute has passed.
        var byMinute: [Int64: [UInt64]] = [:]
        var oldestMinute = Int64.max
    }

    enum Outcome: Equatable {
        case new
        case used
        case full
    }

    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int = NonceTable.mostNonces) { self.capacity = capacity }

    /// Remembers the nonce of a request of that time, which is within the window.
    func use(_ nonce: String, of keyID: String, time: Int64, now: Int64) -> Outcome {
        var hasher = Hasher()
        hasher.combine(keyID)
        hasher.combine(nonce)
        let hash = UInt64(bitPattern: Int64(hasher.finalize()))
        return state.withLock { state in
            Self.forget(&state, now: now)
            guard !state.known.contains(hash) else { return .used }
            guard state.known.count < capacity else { return .full }
            state.known.insert(hash)
            let minute = (time + Self.window) / 60_000 + 1
            state.byMinute[minute, default: []].append(hash)
            state.oldestMinute = min(state.oldestMinute, minute)
            return .new
        }
    }

    private static func forget(_ state: inout State, now: Int64) {
        while state.oldestMinute <= now / 60_000 {
            for hash in state.byMinute.removeValue(forKey: state.oldestMinute) ?? [] { state.known.remove(hash) }
            state.oldestMinute = state.byMinute.keys.min() ?? .max
        }
    }
}
