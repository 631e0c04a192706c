/// What a value must be: checked against requests, and shown in the OpenAPI document, so that both say the same.
indirect enum Schema: Sendable {
    struct Property: Sendable {
        var name: String
        var schema: Schema
        var isRequired: Bool
        var description: String

        init(_ name: String, _ schema: Schema, required: Bool = true, _ description: String = "") {
            self.name = name
            self.schema = schema
            isRequired = required
            self.description = description
        }
    }

    /// Lengths are of Unicode scalars.
    case text(ClosedRange<Int>, TextForm)
    case choice([String])
    case integer(ClosedRange<Int64>)
    case boolean
    case array(Schema, ClosedRange<Int>)
    /// Other members are not allowed.
    case object([Property])
    /// Also null.
    case nullable(Schema)
    /// One of the named schemas of the document.
    case component(String)
    /// An object of any members.
    case anyObject

    /// A text of some length at least, without a form.
    static func string(_ range: ClosedRange<Int> = 0...1_048_576) -> Schema { .text(range, .text) }

    static func choice<Choice: RawRepresentable<String> & CaseIterable>(_ type: Choice.Type) -> Schema {
        .choice(Choice.allCases.map(\.rawValue))
    }

    /// Unix milliseconds.
    static let time = Schema.integer(0...4_102_444_800_000_000)
}

// MARK: - Checking

extension Schema {
    /// - Parameter field: the path of the value, `limits.connections`.
    /// - Throws: `RESTError` that names the part that is wrong, and what it may be.
    func check(_ value: JSONValue, at field: String) throws(RESTError) {
        switch self {
        case .text(let lengths, let form):
            guard let text = value.string else { throw wrongType(value, at: field, "a string") }
            try Self.check(text, lengths, form, at: field)
        case .choice(let choices):
            guard let text = value.string, choices.contains(text) else {
                throw wrongType(value, at: field, "one of \(choices.map { "'\($0)'" }.joined(separator: ", "))")
            }
        case .integer(let range):
            guard let number = value.integer, range.contains(number) else {
                throw wrongType(value, at: field, "a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
        case .boolean:
            guard value.bool != nil else { throw wrongType(value, at: field, "true or false") }
        case .array(let item, let counts):
            guard let items = value.items else { throw wrongType(value, at: field, "an array") }
            guard counts.contains(items.count) else {
                throw .invalid(
                    field,
                    "it has \(items.count) items; \(counts.lowerBound) to \(counts.upperBound) are allowed",
                )
            }
            for (index, element) in items.enumerated() { try item.check(element, at: "\(field)[\(index)]") }
        case .object(let properties): try Self.check(value, properties, at: field)
        case .nullable(let schema):
            if value != .null { try schema.check(value, at: field) }
        case .component(let name): try Components.schema(name).check(value, at: field)
        case .anyObject:
            guard value.members != nil else { throw wrongType(value, at: field, "an object") }
        }
    }

    private static func check(
        _ text: String,
        _ lengths: ClosedRange<Int>,
        _ form: TextForm,
        at field: String,
    ) throws(RESTError) {
        let length = text.unicodeScalars.count
        guard lengths.contains(length) else {
            let allowed =
                lengths.count == 1 ? "\(lengths.lowerBound)" : "\(lengths.lowerBound) to \(lengths.upperBound)"
            throw .invalid(
                field,
                "it has \(length) character\(length == 1 ? "" : "s"); allowed are \(allowed): \(form.words)",
            )
        }
        guard form.allows(text) else {
            throw .invalid(field, "'\(excerpt(text))' is not allowed; allowed: \(form.words)")
        }
    }

    private static func check(
        _ value: JSONValue,
        _ properties: [Property],
        at field: String,
    ) throws(RESTError) {
        guard let members = value.members else {
            throw .invalid(field.isEmpty ? "body" : field, "it must be an object")
        }
        func path(_ name: String) -> String { field.isEmpty ? name : "\(field).\(name)" }
        for member in members {
            guard let property = properties.first(where: { $0.name == member.name }) else {
                let known = properties.map { "'\($0.name)'" }.joined(separator: ", ")
                throw .invalid(
                    path(excerpt(member.name)),
                    "it is unknown here; known are \(known.isEmpty ? "none" : known)",
                )
            }
            try property.schema.check(member.value, at: path(member.name))
        }
        for property in properties where property.isRequired && value[property.name] == nil {
            throw .invalid(path(property.name), "`\(property.name)` is missing")
        }
    }

    private func wrongType(_ value: JSONValue, at field: String, _ wanted: String) -> RESTError {
        .invalid(field.isEmpty ? "body" : field, "it is \(excerpt(value.text)); it must be \(wanted)")
    }

    /// Reads a text of a path or query as what it must be.
    func parse(_ text: String, at field: String) throws(RESTError) -> JSONValue {
        var value = JSONValue.string(text)
        switch self {
        case .integer:
            // As the schema's own form has it: no sign that says nothing, no leading zeros.
            if let number = Int64(text), "\(number)" == text { value = .integer(number) }
        case .boolean:
            if text == "true" || text == "false" { value = .bool(text == "true") }
        default: break
        }
        try check(value, at: field)
        return value
    }
}

// MARK: - Showing

extension Schema {
    /// In JSON Schema 2020-12, the dialect of OpenAPI 3.1.
    var json: JSONValue {
        switch self {
        case .text(let lengths, let form):
            return [
                "type": "string", "minLength": JSONValue(lengths.lowerBound),
                "maxLength": JSONValue(lengths.upperBound),
                "pattern": form.pattern.isEmpty ? nil : .string(form.pattern),
            ]
        case .choice(let choices): return ["type": "string", "enum": .array(choices.map { .string($0) })]
        case .integer(let range):
            return [
                "type": "integer", "format": "int64", "minimum": .integer(range.lowerBound),
                "maximum": .integer(range.upperBound),
            ]
        case .boolean: return ["type": "boolean"]
        case .array(let item, let counts):
            return [
                "type": "array", "items": item.json, "minItems": JSONValue(counts.lowerBound),
                "maxItems": JSONValue(counts.upperBound),
            ]
        case .object(let properties): return Self.json(properties)
        case .nullable(let schema): return ["anyOf": [schema.json, ["type": "null"]]]
        case .component(let name): return ["$ref": .string("#/components/schemas/\(name)")]
        case .anyObject: return ["type": "object"]
        }
    }

    private static func json(_ properties: [Property]) -> JSONValue {
        let required = properties.filter(\.isRequired).map { JSONValue.string($0.name) }
        return [
            "type": "object",
            "properties": .object(
                properties.map { property in
                    let description: JSONValue =
                        property.description.isEmpty ? [:] : ["description": .string(property.description)]
                    return .init(name: property.name, value: property.schema.json.adding(description))
                }
            ),
            "required": required.isEmpty ? nil : .array(required),
            "additionalProperties": false,
        ]
    }
}
