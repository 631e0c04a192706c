import Testing

@testable import ApusManagement

@Suite("Memory of nonces")
struct NonceTableTests {
    private let minute: Int64 = 60_000

    @Test func `a nonce is used once for each key`() {
        let table = NonceTable()
        #expect(table.use("n", of: "a", time: 0, now: 0) == .new)
        #expect(table.use("n", of: "a", time: 0, now: 0) == .used)
        #expect(table.use("n", of: "b", time: 0, now: 0) == .new)
    }

    @Test func `it is forgotten only when its request would be too old`() {
        let table = NonceTable()
        #expect(table.use("n", of: "a", time: 15 * minute, now: 0) == .new)
        #expect(table.use("n", of: "a", time: 15 * minute, now: 30 * minute) == .used)
        #expect(table.use("n", of: "a", time: 40 * minute, now: 32 * minute) == .new)
    }

    @Test func `a full table forgets the oldest of who has most, and takes no more of those times`() {
        let table = NonceTable(capacity: 3)
        #expect(table.use("1", of: "a", time: 0, now: 0) == .new)
        #expect(table.use("2", of: "a", time: 5 * minute, now: 0) == .new)
        #expect(table.use("1", of: "b", time: 0, now: 0) == .new)
        #expect(table.use("2", of: "b", time: 0, now: 0) == .new)
        #expect(table.use("1", of: "a", time: 0, now: 0) == .lost)
        #expect(table.use("2", of: "a", time: 5 * minute, now: 0) == .used)
        #expect(table.use("1", of: "b", time: 0, now: 0) == .used)
        #expect(table.use("3", of: "a", time: 17 * minute, now: 17 * minute) == .new)
    }

    @Test func `who calls often shuts out nobody else`() {
        let table = NonceTable(capacity: 100)
        for number in 0..<1_000 { _ = table.use("\(number)", of: "a", time: 15 * minute, now: 0) }
        for number in 0..<40 { #expect(table.use("\(number)", of: "b", time: 0, now: 0) == .new) }
        for number in 0..<40 { #expect(table.use("\(number)", of: "b", time: 0, now: 0) == .used) }
    }
}
