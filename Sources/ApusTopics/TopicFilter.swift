/// A validated topic filter, split from its share name if it has one.
///
/// Equality and hashing take the share name in: `$share/g/a` and `a` are two subscriptions of one session.
package struct TopicFilter: Sendable, Hashable {
    /// The filter behind the share name, as UTF-8.
    package let bytes: [UInt8]
    /// The share name of `$share/{group}/{filter}`, else `nil`.
    package var group: String? { share.map { String(decoding: $0, as: UTF8.self) } }
    // By its bytes: a `String` is twice as wide, and would compare characters.
    private let share: [UInt8]?
    /// Number of levels of the filter behind the share name, `1...65_536`; what is too deep is for the broker to say.
    package var levelCount: Int { Int(levels) }
    // Half as wide as it could be: each subscription has it.
    private let levels: UInt32
    /// Whether a `+` or `#` is in the filter.
    package let hasWildcard: Bool

    /// Validates a filter as it came in SUBSCRIBE, UNSUBSCRIBE or a rule.
    package init(_ text: String) throws(TopicFilterError) {
        let whole = Array(text.utf8)
        guard !whole.isEmpty else { throw .empty }
        guard whole.count <= 65_535 else { throw .tooLong(bytes: whole.count) }
        guard !whole.contains(0) else { throw .containsNull }
        guard whole.starts(with: Self.sharePrefix) else {
            self = try Self(bytes: whole, share: nil)
            return
        }
        let behind = whole[Self.sharePrefix.count...]
        let name = behind.prefix { $0 != .levelSeparator }
        guard !name.isEmpty else { throw .emptyShareName }
        guard !name.contains(.singleLevelWildcard), !name.contains(.multiLevelWildcard) else {
            throw .wildcardInShareName
        }
        let filter = behind.dropFirst(name.count + 1)
        guard !filter.isEmpty else { throw .missingFilterBehindShareName }
        self = try Self(bytes: Array(filter), share: Array(name))
    }

    private init(bytes: [UInt8], share: [UInt8]?) throws(TopicFilterError) {
        var levels = 1
        var wildcard = false
        for (at, byte) in bytes.enumerated() {
            let startsLevel = at == 0 || bytes[at - 1] == .levelSeparator
            let endsLevel = at + 1 == bytes.count || bytes[at + 1] == .levelSeparator
            switch byte {
            case .levelSeparator:
                levels += 1
            case .multiLevelWildcard:
                guard startsLevel, endsLevel else { throw .multiLevelWildcardNotAlone }
                guard at + 1 == bytes.count else { throw .multiLevelWildcardNotLast }
                wildcard = true
            case .singleLevelWildcard:
                guard startsLevel, endsLevel else { throw .singleLevelWildcardNotAlone }
                wildcard = true
            default:
                break
            }
        }
        self.bytes = bytes
        self.share = share
        self.levels = UInt32(levels)
        self.hasWildcard = wildcard
    }

    /// The filter behind the share name.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The filter as the client wrote it, share name included.
    package var fullText: String {
        guard let group else { return text }
        return "$share/\(group)/\(text)"
    }

    /// Whether the first level is `+` or `#`, so that topics beginning with `$` are out of reach [MQTT-4.7.2-1].
    package var startsWithWildcard: Bool {
        bytes.first == .singleLevelWildcard || bytes.first == .multiLevelWildcard
    }

    private static let sharePrefix = Array("$share/".utf8)
}

extension UInt8 {
    static let levelSeparator = UInt8(ascii: "/")
    static let singleLevelWildcard = UInt8(ascii: "+")
    static let multiLevelWildcard = UInt8(ascii: "#")
    static let dollar = UInt8(ascii: "$")
}
