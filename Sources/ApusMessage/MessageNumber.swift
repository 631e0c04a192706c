/// What traces know a message by: unique in the broker, over restarts too.
///
/// A stored message has the number of its position; another one is counted.
package struct MessageNumber: Sendable, Hashable {
    /// 0 for none.
    ///
    /// The top bit is set for messages that are not stored; positions never reach it.
    package let rawValue: UInt64

    package static let none = MessageNumber(rawValue: 0)

    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Of a stored message.
    package init(_ position: StorePosition) { rawValue = position.rawValue }

    /// Of the message that a shard has taken in as its `sequence`-th.
    package init(shard: Int, sequence: UInt64) {
        rawValue = 1 << 63 | UInt64(UInt8(truncatingIfNeeded: shard)) << 55 | sequence & (1 << 55 - 1)
    }

    /// Whether only this process knows the message.
    package var isTransient: Bool { rawValue >> 63 != 0 }

    /// 32 upper-case hexadecimal digits.
    ///
    /// - Parameter epoch: of this process, unlike that of every other; it tells apart what different processes count.
    package func text(epoch: UInt64) -> String {
        Self.digits(isTransient ? epoch : Self.storedEpoch) + Self.digits(rawValue)
    }

    /// The number in the text of this process or of a stored message; `nil` for any other text.
    package init?(_ text: String, epoch: UInt64) {
        guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(rawValue: low)
        guard high == (isTransient ? epoch : Self.storedEpoch) else { return nil }
    }

    /// "APUS" and a version.
    private static let storedEpoch: UInt64 = 0x4150_5553_0000_0001

    private static func digits(_ value: UInt64) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
