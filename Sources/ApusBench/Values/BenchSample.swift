/// How far a run was at a moment; all numbers but the memory count from its beginning.
package struct BenchSample: Sendable, Equatable {
    package var nanoseconds: Int64
    package var connected: Int
    package var published: Int
    package var acknowledged: Int
    package var delivered: Int
    /// Processor time of the broker, where it is known.
    package var brokerNanoseconds: Int64?
    package var brokerBytes: Int?
}
