internal import ApusMessage

/// When an address that fails again and again is refused without a look at its password.
package struct FailurePolicy: Sendable {
    /// So many failures cost nothing: people mistype.
    package var freeFailures = 5
    /// The pause after the first failure beyond; it doubles with each further one.
    package var firstPauseMilliseconds: Int64 = 1000
    package var longestPauseMilliseconds: Int64 = 60_000
    /// An address that has not failed for so long starts anew.
    package var forgottenAfterMilliseconds: Int64 = 300_000
    /// So many addresses are remembered; beyond, those that failed longest ago are forgotten.
    package var addresses = 4096

    package init() {}

    /// - Parameter freeFailures: at least 0.
    package init(freeFailures: Int) { self.freeFailures = freeFailures }
}

/// The failed logins of each address, bounded.
///
/// IPv6 addresses count by their /64, which is what one host is given.
struct FailureTable: Sendable {
    private struct Record {
        var failures: Int
        var lastFailure: Timestamp
        var pausedUntil: Timestamp
    }

    let policy: FailurePolicy
    private var records: [String: Record] = [:]

    init(policy: FailurePolicy) { self.policy = policy }

    var count: Int { records.count }

    /// How many milliseconds the address must wait; 0 when it may try.
    func pause(for peerAddress: String, now: Timestamp) -> Int64 {
        guard let record = records[Self.key(of: peerAddress)] else { return 0 }
        return max(0, record.pausedUntil.milliseconds - now.milliseconds)
    }

    mutating func recordFailure(of peerAddress: String, now: Timestamp) {
        let key = Self.key(of: peerAddress)
        var record = records[key] ?? Record(failures: 0, lastFailure: now, pausedUntil: now)
        if now.milliseconds - record.lastFailure.milliseconds > policy.forgottenAfterMilliseconds {
            record.failures = 0
        }
        record.failures += 1
        record.lastFailure = now
        let beyond = record.failures - policy.freeFailures
        if beyond > 0 {
            let pause = policy.firstPauseMilliseconds << Int64(min(beyond - 1, 20))
            record.pausedUntil = now.adding(milliseconds: min(pause, policy.longestPauseMilliseconds))
        }
        if records[key] == nil, records.count >= policy.addresses { makeRoom(now: now) }
        records[key] = record
    }

    private mutating func makeRoom(now: Timestamp) {
        records = records.filter {
            now.milliseconds - $0.value.lastFailure.milliseconds <= policy.forgottenAfterMilliseconds
        }
        guard records.count >= policy.addresses else { return }
        // Several at once, so that the walk over all of them is paid for by many failures.
        let oldest = records.sorted { $0.value.lastFailure < $1.value.lastFailure }
        for record in oldest.prefix(max(1, policy.addresses / 16)) { records[record.key] = nil }
    }

    /// The host of a peer's address; of an IPv6 address its first four groups.
    static func key(of peerAddress: String) -> String {
        guard peerAddress.hasPrefix("["), let end = peerAddress.firstIndex(of: "]") else {
            return host(of: peerAddress)
        }
        let host = peerAddress[peerAddress.index(after: peerAddress.startIndex)..<end]
        // An IPv4 address in disguise; and ::1 with its neighbours, who are not to be mixed up with one another.
        if host.hasPrefix("::") { return String(host) }
        var groups: [Substring] = []
        for group in host.split(separator: ":", omittingEmptySubsequences: false) {
            if group.isEmpty || groups.count == 4 { break }
            groups.append(group)
        }
        groups += Array(repeating: "0", count: 4 - groups.count)
        return groups.joined(separator: ":") + "::/64"
    }

    /// A peer's address without its port and without brackets.
    static func host(of peerAddress: String) -> String {
        if peerAddress.hasPrefix("["), let end = peerAddress.firstIndex(of: "]") {
            return String(peerAddress[peerAddress.index(after: peerAddress.startIndex)..<end])
        }
        return String(peerAddress[..<(peerAddress.lastIndex(of: ":") ?? peerAddress.endIndex)])
    }
}
