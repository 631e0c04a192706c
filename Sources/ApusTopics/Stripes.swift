internal import ApusLocks

/// Tables with a lock each, in one piece of memory: reaching one costs no reference counting.
struct Stripes<let size: Int, Table>: ~Copyable, Sendable {
    let tables: InlineArray<size, Guarded<Table>>

    init(_ make: () -> sending Table) { tables = InlineArray { _ in Guarded(make()) } }

    /// Visits all tables in turn, each under its own lock.
    func forEach(_ body: (borrowing Table) -> Void) {
        for index in 0..<size { tables[index].withLock { body($0) } }
    }
}
