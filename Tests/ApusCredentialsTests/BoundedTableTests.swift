import ApusLocks
import ApusMessage
import Testing

@testable import ApusCredentials

private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

@Suite("The table of failed logins")
struct FailureTableTests {
    @Test func `pauses double up to the longest`() {
        var table = FailureTable(policy: FailurePolicy())
        var pauses: [Int64] = []
        for _ in 0..<14 {
            table.recordFailure(of: "192.0.2.1:1", now: at(0))
            pauses.append(table.pause(for: "192.0.2.1:2", now: at(0)))
        }
        #expect(pauses == [0, 0, 0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
        #expect(table.pause(for: "192.0.2.1:2", now: at(59_999)) == 1)
        #expect(table.pause(for: "192.0.2.1:2", now: at(60_000)) == 0)
        #expect(table.pause(for: "192.0.2.2:2", now: at(0)) == 0)
    }

    @Test func `never so many failures that the pause overflows`() {
        var table = FailureTable(policy: FailurePolicy())
        for _ in 0..<200 { table.recordFailure(of: "a:1", now: at(0)) }
        #expect(table.pause(for: "a:1", now: at(0)) == 60_000)
    }

    @Test func `an address that was quiet for long starts anew`() {
        var table = FailureTable(policy: FailurePolicy())
        for _ in 0..<6 { table.recordFailure(of: "a:1", now: at(0)) }
        table.recordFailure(of: "a:1", now: at(300_001))
        #expect(table.pause(for: "a:1", now: at(300_001)) == 0)
    }

    @Test func `the table is bounded, and the address that failed longest ago goes`() {
        var policy = FailurePolicy()
        policy.addresses = 3
        policy.freeFailures = 0
        var table = FailureTable(policy: policy)
        for index in 1...4 { table.recordFailure(of: "host\(index):1", now: at(Int64(index))) }
        #expect(table.count == 3)
        #expect(table.pause(for: "host1:1", now: at(4)) == 0)
        #expect(table.pause(for: "host2:1", now: at(4)) > 0)
    }

    @Test(arguments: [
        ("192.0.2.1:50123", "192.0.2.1"), ("[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1:2::/64"),
        ("[2001:db8::1]:1", "2001:db8:0:0::/64"), ("[2001:db8:1:2::1]:1", "2001:db8:1:2::/64"), ("[::1]:1", "::1"),
        ("[::ffff:192.0.2.1]:1", "::ffff:192.0.2.1"), ("unix", "unix"), ("", ""), ("[", "["), ("[]", "0:0:0:0::/64"),
    ])
    func `ports do not count, and an IPv6 host has a whole subnet`(address: String, key: String) {
        #expect(FailureTable.key(of: address) == key)
    }
}

@Suite("Remembered passwords")
struct VerifiedPasswordsTests {
    @Test func `the cache is bounded, and the first user that came goes first`() {
        var cache = VerifiedPasswords(capacity: 2)
        for (index, user) in ["a", "b", "a", "c", "d"].enumerated() { cache.insert(user, tag: [UInt8(index)]) }
        #expect(cache.count == 2)
        #expect(!cache.contains("a", tag: [2]))
        #expect(cache.contains("c", tag: [3]))
        #expect(cache.contains("d", tag: [4]))
        #expect(!cache.contains("d", tag: [3]))
        cache.removeAll()
        #expect(!cache.contains("d", tag: [4]))
        cache.insert("e", tag: [5])
        #expect(cache.contains("e", tag: [5]))
    }

    @Test func `a cache without room remembers nothing`() {
        var cache = VerifiedPasswords(capacity: 0)
        cache.insert("a", tag: [1])
        #expect(!cache.contains("a", tag: [1]))
    }
}

@Suite("The queue for slow hashes")
struct HashingQueueTests {
    @Test func `work beyond the bound is refused, the rest runs`() async {
        let queue = HashingQueue(workers: 1, maximumWaiting: 2)
        let gate = Guarded(false)
        let done = Guarded<[Int]>([])
        let accepted = await withCheckedContinuation { (continuation: CheckedContinuation<[Bool], Never>) in
            let results = Guarded<[Bool]>([])
            // The first occupies the only worker until the others have been offered.
            _ = queue.submit {
                while !gate.withLock({ $0 }) {}
                done.withLock { $0.append(0) }
            }
            for index in 1...3 {
                let isLast = index == 2
                let taken = queue.submit {
                    done.withLock { $0.append(index) }
                    if isLast { continuation.resume(returning: results.withLock { $0 }) }
                }
                results.withLock { $0.append(taken) }
            }
            gate.withLock { $0 = true }
        }
        #expect(accepted == [true, true, false])
        #expect(done.withLock { $0 } == [0, 1, 2])
    }
}

@Suite("Certificate subjects")
struct CertificateSubjectTests {
    @Test(arguments: [
        ("CN=alice,O=Example", "alice"), ("O=Example,CN=alice", "alice"), ("cn = alice", " alice"),
        ("2.5.4.3=alice", "alice"), ("CN=a\\,b,O=x", "a,b"), ("CN=Z\\C3\\A4hler", "Zähler"), ("CN=a\\+b+UID=7", "a+b"),
        ("UID=7+CN=alice", "alice"), ("CN=first,CN=second", "first"), ("O=a\\,CN=mallory,CN=alice", "alice"),
        ("O=a\\\\,CN=alice", "alice"), ("CN=a=b", "a=b"),
        ("", nil), ("O=Example", nil), ("CN=", nil), ("CN", nil), ("CN=#1303616263", nil), ("CN=\"alice\"", nil),
        ("CN=a\\", nil), ("CN=a\\C", nil), ("CN=alice\\00mallory", nil), ("CN=\\FF", nil), ("O=\\C,CN=a", nil),
    ])
    func `the common name is read strictly or not at all`(subject: String, name: String?) {
        #expect(CertificateSubject(subject).commonName == name)
    }
}
