/// Reads the fields of one packet, in order, within fixed bounds; never beyond them.
struct PacketReader: ~Escapable {
    let bytes: Span<UInt8>
    private(set) var position: Int
    let end: Int

    /// Reads `range`, which must lie within `bytes`.
    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        precondition(range.upperBound <= bytes.count, "the frame belongs to another span")
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { position == end }
    var remaining: Int { end - position }

    /// Asserts that every byte was consumed.
    func finish() throws(DecodeError) {
        guard isAtEnd else { throw .trailingBytes }
    }

    // MARK: - Integers

    @inline(__always)
    mutating func byte() throws(DecodeError) -> UInt8 {
        guard position < end else { throw .truncated }
        let value = bytes[position]
        position += 1
        return value
    }

    @inline(__always)
    mutating func uint16() throws(DecodeError) -> UInt16 {
        guard end - position >= 2 else { throw .truncated }
        let value = UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
        position += 2
        return value
    }

    mutating func uint32() throws(DecodeError) -> UInt32 {
        let high = try uint16()
        return try UInt32(high) << 16 | UInt32(uint16())
    }

    /// A packet identifier, which is never zero [MQTT-2.2.1-3].
    @inline(__always)
    mutating func packetIdentifier() throws(DecodeError) -> PacketIdentifier {
        let value = try uint16()
        guard value != 0 else { throw .packetIdentifierZero }
        return value
    }

    /// A variable byte integer in its shortest form [MQTT-1.5.5-1].
    mutating func variableByteInteger() throws(DecodeError) -> Int {
        var value = 0
        var shift = 0
        while true {
            let next = try Int(byte())
            value |= (next & 0x7F) << shift
            if next < 128 {
                if next == 0, shift > 0 { throw .variableByteIntegerNotMinimal }
                return value
            }
            shift += 7
            if shift > 21 { throw .variableByteIntegerTooLong }
        }
    }

    // MARK: - Strings and binary data

    /// The extent of a field that begins with a two byte length.
    @inline(__always)
    mutating func lengthPrefixed() throws(DecodeError) -> Range<Int> {
        let length = try Int(uint16())
        guard end - position >= length else { throw .truncated }
        let start = position
        position += length
        return start..<position
    }

    /// The extent of a well-formed UTF-8 string [MQTT-1.5.4-1], [MQTT-1.5.4-2].
    mutating func stringRange() throws(DecodeError) -> Range<Int> {
        let range = try lengthPrefixed()
        switch UTF8Validation.check(bytes, range, alphabet: .string) {
        case nil: return range
        case .null: throw .stringContainsNull
        case .notUTF8, .wildcard: throw .stringNotUTF8
        }
    }

    /// The extent of a string that may name a topic; it may be empty.
    mutating func topicNameRange(wildcard: DecodeError) throws(DecodeError) -> Range<Int> {
        let range = try lengthPrefixed()
        switch UTF8Validation.check(bytes, range, alphabet: .topicName) {
        case nil: return range
        case .notUTF8: throw .stringNotUTF8
        case .null: throw .stringContainsNull
        case .wildcard: throw wildcard
        }
    }

    mutating func string() throws(DecodeError) -> String {
        try bytes.string(stringRange())
    }

    mutating func binary() throws(DecodeError) -> [UInt8] {
        let range = try lengthPrefixed()
        return bytes.array(range)
    }

    /// Everything up to the end.
    mutating func rest() -> Range<Int> {
        let range = position..<end
        position = end
        return range
    }

    // MARK: - Properties

    /// The extent of a property section, without its length.
    @inline(__always)
    mutating func propertySection() throws(DecodeError) -> Range<Int> {
        let length = try variableByteInteger()
        guard end - position >= length else { throw .truncated }
        let start = position
        position += length
        return start..<position
    }

    /// The next property identifier, checked against what the packet allows and what it already holds.
    mutating func propertyIdentifier(
        allowed: PropertySet,
        repeatable: PropertySet = .userProperty,
        seen: inout PropertySet,
    ) throws(DecodeError) -> PropertyIdentifier {
        guard let identifier = PropertyIdentifier(rawValue: try byte()) else { throw .propertyUnknown }
        guard allowed.contains(identifier) else { throw .propertyNotAllowed }
        if seen.contains(identifier), !repeatable.contains(identifier) { throw .propertyDuplicated }
        seen.insert(identifier)
        return identifier
    }

    mutating func boolean() throws(DecodeError) -> Bool {
        let value = try byte()
        guard value <= 1 else { throw .propertyNotBoolean }
        return value == 1
    }

    mutating func topicAlias() throws(DecodeError) -> UInt16 {
        let value = try uint16()
        guard value != 0 else { throw .topicAliasZero }
        return value
    }

    mutating func subscriptionIdentifier() throws(DecodeError) -> UInt32 {
        let value = try variableByteInteger()
        guard value != 0 else { throw .subscriptionIdentifierZero }
        return UInt32(truncatingIfNeeded: value)
    }

    /// A response topic: a topic name, so neither empty nor with wildcards [MQTT-3.3.2-13], [MQTT-3.3.2-14].
    mutating func responseTopicRange() throws(DecodeError) -> Range<Int> {
        let range = try topicNameRange(wildcard: .responseTopicInvalid)
        guard !range.isEmpty else { throw .responseTopicInvalid }
        return range
    }

    mutating func userProperty() throws(DecodeError) -> UserProperty {
        let name = try string()
        return try UserProperty(name, string())
    }

    /// Reads past a user property, still checking its strings [MQTT-1.5.7-1].
    mutating func skipUserProperty() throws(DecodeError) {
        _ = try stringRange()
        _ = try stringRange()
    }
}

extension Span<UInt8> {
    /// The bytes of `range` as a string; ill-formed bytes, which callers have refused before, would give an empty one.
    func string(_ range: Range<Int>) -> String {
        do {
            return String(copying: try UTF8Span(validating: extracting(range)))
        } catch {
            return ""
        }
    }

    /// A copy of the bytes of `range`.
    func array(_ range: Range<Int>) -> [UInt8] {
        var copy: [UInt8] = []
        copy.append(copying: extracting(range))
        return copy
    }
}
