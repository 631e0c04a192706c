internal import Synchronization

/// A row of atomic counters in one piece of memory, so that reading one is one load.
struct Counters<let size: Int>: ~Copyable, Sendable {
    private let values = InlineArray<size, Atomic<UInt64>> { _ in Atomic(0) }

    @inline(__always)
    func value(_ index: Int) -> UInt64 { values[index].load(ordering: .acquiring) }

    func raise(_ index: Int) { values[index].wrappingAdd(1, ordering: .releasing) }

    func lower(_ index: Int) { values[index].wrappingSubtract(1, ordering: .releasing) }

    func set(_ index: Int, _ value: UInt64) { values[index].store(value, ordering: .releasing) }
}
