internal import ApusLocks

/// Slows down addresses that bring wrong secrets for an access key again and again.
///
/// Counted by address and key, so that nobody keeps the bearers of other keys out.
final class GuessTable: Sendable {
    /// So many failures cost nothing: people mistype.
    static let freeFailures = 10
    /// The longest pause; milliseconds.
    static let longestPause: Int64 = 60_000
    /// An address that has not failed for so long starts anew; milliseconds.
    static let forgottenAfter: Int64 = 300_000
    /// So many addresses and keys are remembered; beyond, those that failed longest ago are forgotten.
    static let mostRecords = 4_096

    /// What who must wait is told.
    static func message(_ seconds: Int64) -> String {
        "there were too many wrong secrets for this key from this address; wait \(seconds) s"
    }

    private struct Record {
        var failures: Int
        var lastFailure: Int64
    }

    private let records = Guarded<[String: Record]>([:])

    /// How many milliseconds the address must wait with this key; 0 when it may try.
    func pause(for address: String, keyID: String, now: Int64) -> Int64 {
        records.withLock { records in
            guard let record = records[Self.name(address, keyID)], record.failures > Self.freeFailures else { return 0 }
            let length = min(Self.longestPause, 1_000 << min(6, Int64(record.failures - Self.freeFailures - 1)))
            return max(0, record.lastFailure + length - now)
        }
    }

    func recordFailure(of address: String, keyID: String, now: Int64) {
        records.withLock { records in
            let name = Self.name(address, keyID)
            var record = records[name] ?? Record(failures: 0, lastFailure: now)
            if now - record.lastFailure > Self.forgottenAfter { record.failures = 0 }
            record.failures += 1
            record.lastFailure = now
            records[name] = record
            if records.count > Self.mostRecords,
                let oldest = records.min(by: { $0.value.lastFailure < $1.value.lastFailure })
            {
                records[oldest.key] = nil
            }
        }
    }

    /// The address without its port, and the key.
    private static func name(_ address: String, _ keyID: String) -> String {
        "\(address.lastIndex(of: ":").map { address[..<$0] } ?? address[...]) \(excerpt(keyID, 128))"
    }
}
