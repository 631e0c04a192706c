import ApusLocks
import Testing

@Suite("Guarded")
struct GuardedTests {
    private final class Shared: Sendable {
        let list = Guarded<[Int]>([])
    }

    @Test func `what tasks add at once is all there, each task's in its order`() async {
        let shared = Shared()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for number in 0..<5_000 { shared.list.withLock { $0.append(task * 5_000 + number) } }
                }
            }
        }
        let list = shared.list.withLock { $0 }
        #expect(list.count == 20_000)
        for task in 0..<4 {
            #expect(list.filter { $0 / 5_000 == task } == Array(task * 5_000..<(task + 1) * 5_000))
        }
    }

    @Test func `an error leaves with its type, and the lock is free again with what was changed`() {
        struct Refusal: Error {}
        let shared = Shared()
        #expect(throws: Refusal.self) {
            try shared.list.withLock { list throws(Refusal) in
                list.append(7)
                throw Refusal()
            }
        }
        #expect(shared.list.withLock { $0 } == [7])
    }

    @Test func `a value that cannot be copied can be looked at and replaced`() {
        struct Ticket: ~Copyable { var number: Int }
        let ticket = Guarded(Ticket(number: 1))
        ticket.withLock { $0 = Ticket(number: $0.number + 1) }
        #expect(ticket.withLock { $0.number } == 2)
    }
}
