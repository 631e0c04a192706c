/// Client identifiers for clients that bring none [MQTT-3.1.3-6].
///
/// Unique by a counter, unpredictable by a keyed hash, so that nobody can guess another client's and take it over.
struct AssignedClientIDs: Sendable {
    private let seed: UInt64
    private var counter: UInt64 = 0

    init(seed: UInt64) { self.seed = seed }

    /// A new identifier: `auto-` and 20 letters and digits; legal in every MQTT version.
    mutating func next() -> String {
        counter += 1
        var hasher = Hasher()
        hasher.combine(seed)
        hasher.combine(counter)
        var bits = UInt64(bitPattern: Int64(hasher.finalize()))
        var text = "auto-"
        for _ in 0..<12 {
            text.append(Self.alphabet[Int(bits % 32)])
            bits /= 32
        }
        var rest = counter
        for _ in 0..<8 {
            text.append(Self.alphabet[Int(rest % 32)])
            rest /= 32
        }
        return text
    }

    private static let alphabet = Array("abcdefghijkmnpqrstuvwxyz23456789")
}
