/// Reads what a broker sent into the fields that scripts compare with, and refuses what no broker may send.
///
/// Independent of MQTTCodec on purpose, so that the two prove each other.
struct PacketReader {
    /// Protocol level, 3, 4 or 5.
    private let version: Int
    private let kind: PacketKind
    private var rest: ArraySlice<UInt8>

    /// Takes the first packet off the bytes; nil when it is not whole yet.
    static func take(from bytes: inout [UInt8], version: Int) throws -> [String: JSONValue]? {
        guard bytes.count >= 2 else { return nil }
        var length = 0
        var scale = 1
        var position = 1
        while true {
            guard position < bytes.count else { return nil }
            guard position <= 4 else { throw ScriptError.malformed("remaining length of five bytes") }
            length += Int(bytes[position] & 0x7F) * scale
            scale *= 128
            position += 1
            if bytes[position - 1] & 0x80 == 0 { break }
        }
        guard position == 1 + PacketWriter.variableByteInteger(length).count else {
            throw ScriptError.malformed("remaining length not minimal")
        }
        guard bytes.count >= position + length else { return nil }
        let packet = bytes[..<(position + length)]
        defer { bytes.removeFirst(position + length) }
        guard let kind = PacketKind(rawValue: packet[0] >> 4) else { throw ScriptError.malformed("packet type 0") }
        var reader = PacketReader(version: version, kind: kind, rest: packet[position...])
        do {
            return try reader.fields(flags: packet[0] & 0x0F)
        } catch ScriptError.malformed(let what) {
            throw ScriptError.malformed("\(what) in \(HexText.spaced(packet.prefix(64)))")
        }
    }

    private init(version: Int, kind: PacketKind, rest: ArraySlice<UInt8>) {
        self.version = version
        self.kind = kind
        self.rest = rest
    }

    private mutating func fields(flags: UInt8) throws -> [String: JSONValue] {
        guard kind == .publish || flags == kind.flags else { throw ScriptError.malformed("flags \(flags)") }
        var fields: [String: JSONValue] = ["packet": .string(kind.name)]
        switch kind {
        case .connack: try connack(&fields)
        case .publish: try publish(&fields, flags: flags)
        case .puback, .pubrec, .pubrel, .pubcomp: try acknowledgement(&fields)
        case .suback, .unsuback: try subscription(&fields)
        case .pingresp: break
        case .disconnect, .auth: try reason(&fields)
        default: throw ScriptError.malformed("a broker does not send \(kind.name)")
        }
        guard rest.isEmpty else { throw ScriptError.malformed("\(rest.count) bytes too many") }
        try checkReasonCodes(fields)
        return fields
    }

    /// [MQTT-3.2.2-8] and the like: only codes of the packet's own table. 3.1.1 has its own for CONNACK and SUBACK.
    private func checkReasonCodes(_ fields: [String: JSONValue]) throws {
        guard let allowed = kind.reasonCodesFromServer else { return }
        let codes =
            [fields["reasonCode"]].compactMap { $0?.integer }
            + (fields["reasonCodes"]?.array ?? []).compactMap(\.integer)
        for code in codes {
            let holds =
                switch (version, kind) {
                case (5, _): allowed.contains(UInt8(code))
                case (_, .connack): code <= 5
                case (_, .suback): [0, 1, 2, 0x80].contains(code)
                default: true
                }
            guard holds else { throw ScriptError.malformed("reason code \(code) in \(kind.name)") }
        }
    }

    // MARK: - Packets

    private mutating func connack(_ fields: inout [String: JSONValue]) throws {
        let acknowledge = try byte()
        guard acknowledge <= 1 else { throw ScriptError.malformed("reserved bits") }
        fields["sessionPresent"] = .bool(acknowledge == 1)
        fields["reasonCode"] = JSONValue(try byte())
        try properties(&fields)
    }

    private mutating func publish(_ fields: inout [String: JSONValue], flags: UInt8) throws {
        let qos = flags >> 1 & 3
        guard qos < 3 else { throw ScriptError.malformed("QoS 3") }
        fields["qos"] = JSONValue(qos)
        fields["retain"] = .bool(flags & 1 == 1)
        fields["dup"] = .bool(flags & 8 == 8)
        fields["topic"] = try text()
        if qos > 0 { try identifier(&fields) }
        try properties(&fields)
        fields["payload"] = HexText.value(of: Array(rest))
        rest = []
    }

    private mutating func acknowledgement(_ fields: inout [String: JSONValue]) throws {
        try identifier(&fields)
        try reason(&fields)
    }

    private mutating func subscription(_ fields: inout [String: JSONValue]) throws {
        try identifier(&fields)
        try properties(&fields)
        guard version == 5 || kind == .suback || rest.isEmpty else { throw ScriptError.malformed("payload before 5.0") }
        fields["reasonCodes"] = .array(rest.map { JSONValue($0) })
        rest = []
    }

    /// A reason code and properties, either of which may be left out.
    private mutating func reason(_ fields: inout [String: JSONValue]) throws {
        fields["reasonCode"] = .number(0)
        fields["properties"] = .object([:])
        guard !rest.isEmpty else { return }
        guard version == 5 else { throw ScriptError.malformed("reason code before 5.0") }
        fields["reasonCode"] = JSONValue(try byte())
        if !rest.isEmpty { try properties(&fields) }
    }

    // MARK: - Fields

    private mutating func byte() throws -> UInt8 {
        guard let first = rest.popFirst() else { throw ScriptError.malformed("truncated") }
        return first
    }

    private mutating func twoBytes() throws -> Int { Int(try byte()) << 8 | Int(try byte()) }

    private mutating func identifier(_ fields: inout [String: JSONValue]) throws {
        let id = try twoBytes()
        guard id != 0 else { throw ScriptError.malformed("packet identifier 0") }
        fields["id"] = JSONValue(id)
    }

    private mutating func binary() throws -> [UInt8] {
        let count = try twoBytes()
        guard rest.count >= count else { throw ScriptError.malformed("truncated") }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    private mutating func text() throws -> JSONValue {
        let bytes = try binary()
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw ScriptError.malformed("bad UTF-8")
        }
        return .string(text)
    }

    private mutating func variableByteInteger() throws -> Int {
        var value = 0
        var scale = 1
        for _ in 0..<4 {
            let next = try byte()
            value += Int(next & 0x7F) * scale
            scale *= 128
            if next & 0x80 == 0 { return value }
        }
        throw ScriptError.malformed("variable byte integer of five bytes")
    }

    // MARK: - Properties

    private mutating func properties(_ fields: inout [String: JSONValue]) throws {
        guard version == 5 else { return }
        let count = try variableByteInteger()
        guard rest.count >= count else { throw ScriptError.malformed("truncated properties") }
        let end = rest.startIndex + count
        var found: [String: JSONValue] = [:]
        while rest.startIndex < end {
            try property(&found)
        }
        guard rest.startIndex == end else { throw ScriptError.malformed("property length wrong") }
        fields["properties"] = .object(found)
    }

    private mutating func property(_ found: inout [String: JSONValue]) throws {
        let number = try variableByteInteger()
        guard let property = WireProperty.numbered(number), property.fromServer.contains(kind) else {
            throw ScriptError.malformed("property \(number) in \(kind.name)")
        }
        let value: JSONValue =
            switch property.form {
            case .byte: JSONValue(try byte())
            case .twoByteInteger: JSONValue(try twoBytes())
            case .fourByteInteger: JSONValue(try twoBytes() << 16 | twoBytes())
            case .variableByteInteger: JSONValue(try variableByteInteger())
            case .text: try text()
            case .binary: HexText.value(of: try binary())
            case .pair: .array([try text(), try text()])
            }
        if property.repeats {
            let name = property.form == .pair ? property.name : property.name + "s"
            found[name] = .array((found[name]?.array ?? []) + [value])
        } else {
            guard found.updateValue(value, forKey: property.name) == nil else {
                throw ScriptError.malformed("\(property.name) twice")
            }
        }
    }
}
