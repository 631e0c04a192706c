/// Assembles the packets of a script, the forbidden ones too: it checks nothing that a broker should check.
///
/// Independent of MQTTCodec on purpose, so that the two prove each other.
struct PacketWriter {
    /// Protocol level, 3, 4 or 5.
    let version: Int
    private let fields: [String: JSONValue]
    private var body: [UInt8] = []

    /// Bytes of what a script sends: `"hex digits"`, a packet, or several in a row.
    static func bytes(of value: JSONValue, version: Int, client: String) throws -> [UInt8] {
        switch value {
        case .string(let hex):
            return try HexText.bytes(hex: hex)
        case .array(let values):
            return try values.flatMap { try bytes(of: $0, version: version, client: client) }
        case .object(let fields):
            return try packet(fields, version: version, client: client)
        default:
            throw ScriptError.badScript("cannot send \(value)")
        }
    }

    private static func packet(_ fields: [String: JSONValue], version: Int, client: String) throws -> [UInt8] {
        guard let name = fields["packet"]?.string, let kind = PacketKind(name: name) else {
            throw ScriptError.badScript("no such packet: \(fields["packet"] ?? .null)")
        }
        var writer = PacketWriter(version: version, fields: fields)
        var flags = kind.flags
        switch kind {
        case .connect: try writer.connect(client: client)
        case .publish: flags = try writer.publish()
        case .puback, .pubrec, .pubrel, .pubcomp: try writer.acknowledgement()
        case .subscribe, .unsubscribe: try writer.subscription(kind)
        case .disconnect, .auth: try writer.reason()
        case .pingreq, .pingresp: break
        default: throw ScriptError.badScript("write \(name) in hex; a client does not send it")
        }
        if let trailing = fields["trailing"]?.string { writer.body += try HexText.bytes(hex: trailing) }
        if let forced = fields["flags"]?.integer { flags = UInt8(forced) }
        var bytes = [kind.rawValue << 4 | flags]
        if let length = fields["remainingLength"]?.string {
            bytes += try HexText.bytes(hex: length)
        } else {
            bytes += variableByteInteger(writer.body.count)
        }
        return bytes + writer.body
    }

    private init(version: Int, fields: [String: JSONValue]) {
        self.version = version
        self.fields = fields
    }

    // MARK: - Packets

    private mutating func connect(client: String) throws {
        let level = fields["protocolVersion"]?.integer ?? version
        try text(fields["protocolName"] ?? .string(version == 3 ? "MQIsdp" : "MQTT"))
        body.append(UInt8(level))
        let will = fields["will"]?.object
        var flags: UInt8 = fields["cleanStart"]?.bool ?? true ? 0b10 : 0
        if let will {
            flags |= 0b100 | UInt8(will["qos"]?.integer ?? 0) << 3 | (will["retain"]?.bool ?? false ? 0b10_0000 : 0)
        }
        if fields["password"] != nil { flags |= 0b0100_0000 }
        if fields["username"] != nil { flags |= 0b1000_0000 }
        body.append(UInt8(fields["connectFlags"]?.integer ?? Int(flags)))
        twoBytes(fields["keepAlive"]?.integer ?? 60)
        try properties(of: fields)
        try text(fields["clientId"] ?? .string(client))
        if let will {
            try properties(of: will)
            try text(will["topic"] ?? .string(""))
            try text(will["payload"] ?? .string(""))
        }
        if let username = fields["username"] { try text(username) }
        if let password = fields["password"] { try text(password) }
    }

    private mutating func publish() throws -> UInt8 {
        let qos = fields["qos"]?.integer ?? 0
        try text(fields["topic"] ?? .string(""))
        if let id = fields["id"]?.integer { twoBytes(id) }
        try properties(of: fields)
        body += try HexText.bytes(of: fields["payload"] ?? .string(""))
        return (fields["dup"]?.bool ?? false ? 8 : 0) | UInt8(qos) << 1 | (fields["retain"]?.bool ?? false ? 1 : 0)
    }

    private mutating func acknowledgement() throws {
        try identifier()
        guard version == 5, fields["reasonCode"] != nil || hasProperties(fields) else { return }
        body.append(UInt8(fields["reasonCode"]?.integer ?? 0))
        if hasProperties(fields) { try properties(of: fields) }
    }

    private mutating func subscription(_ kind: PacketKind) throws {
        try identifier()
        try properties(of: fields)
        for filter in fields["filters"]?.array ?? [] {
            let object = filter.object ?? ["filter": filter]
            try text(object["filter"] ?? .string(""))
            if kind == .subscribe { body.append(options(of: object)) }
        }
    }

    private func options(of filter: [String: JSONValue]) -> UInt8 {
        if let forced = filter["options"]?.integer { return UInt8(forced) }
        let qos = UInt8(filter["qos"]?.integer ?? 0)
        guard version == 5 else { return qos }
        return qos | (filter["noLocal"]?.bool ?? false ? 4 : 0) | (filter["retainAsPublished"]?.bool ?? false ? 8 : 0)
            | UInt8(filter["retainHandling"]?.integer ?? 0) << 4
    }

    private mutating func reason() throws {
        guard version == 5, fields["reasonCode"] != nil || hasProperties(fields) else { return }
        body.append(UInt8(fields["reasonCode"]?.integer ?? 0))
        if hasProperties(fields) { try properties(of: fields) }
    }

    // MARK: - Fields

    private mutating func identifier() throws {
        guard let id = fields["id"]?.integer else { throw ScriptError.badScript("packet without id: \(fields)") }
        twoBytes(id)
    }

    private mutating func twoBytes(_ value: Int) {
        body += [UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
    }

    private mutating func text(_ value: JSONValue) throws {
        let bytes = try HexText.bytes(of: value)
        twoBytes(bytes.count)
        body += bytes
    }

    static func variableByteInteger(_ value: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        repeat {
            bytes.append(UInt8(rest % 128) | (rest >= 128 ? 0x80 : 0))
            rest /= 128
        } while rest > 0
        return bytes
    }

    // MARK: - Properties

    private func hasProperties(_ fields: [String: JSONValue]) -> Bool {
        fields["properties"] != nil || fields["rawProperties"] != nil
    }

    /// Before 5.0 there are no properties, so that a script for several versions can name them.
    private mutating func properties(of fields: [String: JSONValue]) throws {
        guard version == 5 else { return }
        var section: [UInt8] = []
        if let raw = fields["rawProperties"]?.string {
            section = try HexText.bytes(hex: raw)
        }
        for (name, value) in try pairs(fields["properties"]) {
            section += try property(name, value)
        }
        body += Self.variableByteInteger(section.count) + section
    }

    /// Properties come as an object, or as an array of pairs where order or repetition matters.
    private func pairs(_ value: JSONValue?) throws -> [(String, JSONValue)] {
        switch value {
        case nil: return []
        case .object(let fields): return fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        case .array(let rows):
            return try rows.map { row in
                guard let row = row.array, row.count == 2, let name = row[0].string else {
                    throw ScriptError.badScript("want [name, value], not \(row)")
                }
                return (name, row[1])
            }
        default: throw ScriptError.badScript("no properties: \(value ?? .null)")
        }
    }

    private func property(_ name: String, _ value: JSONValue) throws -> [UInt8] {
        guard let property = WireProperty.named(name) else { throw ScriptError.badScript("no property \(name)") }
        var writer = PacketWriter(version: version, fields: [:])
        switch property.form {
        case .byte: writer.body = [UInt8(try number(name, value))]
        case .twoByteInteger: writer.twoBytes(try number(name, value))
        case .fourByteInteger:
            let number = try number(name, value)
            writer.twoBytes(number >> 16)
            writer.twoBytes(number)
        case .variableByteInteger: writer.body = Self.variableByteInteger(try number(name, value))
        case .text, .binary: try writer.text(value)
        case .pair: return try userProperties(property, value)
        }
        return [property.number] + writer.body
    }

    private func userProperties(_ property: WireProperty, _ value: JSONValue) throws -> [UInt8] {
        var writer = PacketWriter(version: version, fields: [:])
        for pair in value.array ?? [] {
            guard let pair = pair.array, pair.count == 2 else { throw ScriptError.badScript("no pair: \(value)") }
            writer.body.append(property.number)
            try writer.text(pair[0])
            try writer.text(pair[1])
        }
        return writer.body
    }

    private func number(_ name: String, _ value: JSONValue) throws -> Int {
        guard let number = value.integer else { throw ScriptError.badScript("\(name) wants a number, not \(value)") }
        return number
    }
}
