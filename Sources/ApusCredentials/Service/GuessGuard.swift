internal import ApusCrypto
internal import ApusLocks
internal import ApusMessage

/// Slows those who guess, by address and by identity.
///
/// After some failures an address, or an identity from wherever it is tried, must wait before the next look at a password,
/// longer each time. A pair of identity and password that was right lately does not wait: one broken device does not lock
/// out its neighbours, nor an attacker those whom he attacks.
///
/// Keeps neither passwords nor names: HMAC-SHA-256 under a key that only this process knows. All tables are bounded.
final class GuessGuard: Sendable {
    private struct State {
        var addresses: FailureTable
        var identities: FailureTable
        var known: VerifiedPasswords
    }

    private let processKey: [UInt8]
    private let state: Guarded<State>

    init(processKey: [UInt8], addresses: FailurePolicy, identities: FailurePolicy, rememberedIdentities: Int) {
        self.processKey = processKey
        state = Guarded(
            State(
                addresses: FailureTable(policy: addresses),
                identities: FailureTable(policy: identities),
                known: VerifiedPasswords(capacity: rememberedIdentities),
            )
        )
    }

    /// One try at an identity.
    struct Attempt {
        let address: String
        /// 20 characters of Base64; no name of an attacker's choosing and length.
        fileprivate let identity: String
        fileprivate let tag: [UInt8]
    }

    /// - Parameter identity: What a secret belongs to; its parts in the order of their making.
    func attempt(at identity: [String], password: [UInt8], from address: String) -> Attempt {
        // Each part with its length before it, so that no two identities are written alike.
        var text: [UInt8] = []
        text.reserveCapacity(identity.reduce(0) { $0 + $1.utf8.count + 4 })
        for part in identity {
            let count = UInt32(truncatingIfNeeded: part.utf8.count)
            for shift in [24, 16, 8, 0] as [UInt32] { text.append(UInt8(truncatingIfNeeded: count >> shift)) }
            text.append(contentsOf: part.utf8)
        }
        return Attempt(
            address: address,
            identity: Base64.encode(Array(HMAC.sha256(key: processKey, text).prefix(15))),
            tag: HMAC.sha256(key: processKey, password),
        )
    }

    /// Why the attempt must wait; `nil` when it may go on.
    func pause(for attempt: Attempt, now: Timestamp) -> String? {
        state.withLock { state in
            let byAddress = state.addresses.pause(for: attempt.address, now: now)
            let byIdentity = state.identities.pause(for: attempt.identity, now: now)
            let pause = max(byAddress, byIdentity)
            guard pause > 0, !state.known.contains(attempt.identity, tag: attempt.tag) else { return nil }
            let source = byAddress >= byIdentity ? "from this address" : "for this user name"
            return "too many failed logins \(source); try again in \((pause + 999) / 1000) s"
        }
    }

    func recordFailure(of attempt: Attempt, now: Timestamp) {
        state.withLock { state in
            state.addresses.recordFailure(of: attempt.address, now: now)
            state.identities.recordFailure(of: attempt.identity, now: now)
        }
    }

    func recordSuccess(of attempt: Attempt) {
        state.withLock { $0.known.insert(attempt.identity, tag: attempt.tag) }
    }
}
