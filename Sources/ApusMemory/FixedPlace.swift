internal import Synchronization

/// Makes the value that holds it one that is passed by its address.
///
/// Swift 6.3 passes a large struct to its own nonmutating methods as a copy of all its bytes, even one that cannot be
/// copied; a field whose bytes may change behind the compiler's back, such as an atomic, keeps it from that
/// (docs/decisions/0010-few-copies-a-message.md).
public struct FixedPlace: ~Copyable, Sendable {
    private let mark = Atomic<Bool>(false)

    /// Stays at its address.
    public init() {}
}
