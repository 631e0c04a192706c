internal import ApusLocks

/// Holds each account to the rate of each action: a bucket that fills in a second.
///
/// As many buckets as accounts times actions that have been called.
final class ActionThrottle: Sendable {
    private struct Key: Hashable {
        var account: String
        var action: String
    }

    private struct Bucket {
        var tokens: Double
        var filledAt: Int64
    }

    private let buckets = Guarded<[Key: Bucket]>([:])

    /// Whether the account may call the action now, which counts as a call.
    func take(_ action: String, account: String, rate: Int, now: Int64) -> Bool {
        buckets.withLock { buckets in
            let key = Key(account: account, action: action)
            var bucket = buckets[key] ?? Bucket(tokens: Double(rate), filledAt: now)
            let elapsed = Double(max(0, now - bucket.filledAt)) / 1_000
            bucket.tokens = min(Double(rate), bucket.tokens + elapsed * Double(rate))
            // A clock that was set back must not keep the bucket empty until it has come as far again.
            bucket.filledAt = now
            defer { buckets[key] = bucket }
            guard bucket.tokens >= 1 else { return false }
            bucket.tokens -= 1
            return true
        }
    }
}
