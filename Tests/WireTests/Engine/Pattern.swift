/// Compares what came with what a script expects, and remembers what the script named.
///
/// A literal must be equal, of an object only the named fields count, `null` means absent. Further patterns:
/// `"<name>"` (anything the first time, the same afterwards), `{"oneOf": […]}`, `{"atLeast": n}`, `{"atMost": n}`,
/// `{"unordered": […]}`, `{"not": pattern}`, `{"anything": true}`.
struct Pattern {
    /// Values by the names that the script gave them.
    private(set) var names: [String: JSONValue] = [:]

    /// Why it does not match; nil when it does. Names are remembered only by a match of the whole.
    mutating func mismatch(_ actual: JSONValue?, _ expected: JSONValue, at path: String = "") -> String? {
        var trial = self
        if let problem = trial.compare(actual, expected, path) { return problem }
        self = trial
        return nil
    }

    /// The value with the remembered names filled in.
    func filledIn(_ value: JSONValue) throws -> JSONValue {
        switch value {
        case .string(let text):
            guard let name = Self.name(text) else { return value }
            guard let known = names[name] else { throw ScriptError.badScript("nothing is named <\(name)> yet") }
            return known
        case .array(let values): return .array(try values.map(filledIn))
        case .object(let fields): return .object(try fields.mapValues(filledIn))
        default: return value
        }
    }

    private static func name(_ text: String) -> String? {
        text.hasPrefix("<") && text.hasSuffix(">") ? String(text.dropFirst().dropLast()) : nil
    }

    private mutating func compare(_ actual: JSONValue?, _ expected: JSONValue, _ path: String) -> String? {
        if case .null = expected { return actual.map { "\(path): \($0) should be absent" } }
        guard let actual else { return "\(path): absent, expected \(expected)" }
        switch expected {
        case .string(let text):
            if let name = Self.name(text) { return compare(named: name, actual, path) }
            if text.hasPrefix(HexText.prefix), let bytes = try? HexText.bytes(of: expected) {
                return actual == HexText.value(of: bytes) ? nil : "\(path): \(actual), expected \(expected)"
            }
        case .object(let fields):
            if let special = special(actual, fields, path) { return special.problem }
            return compare(fields: fields, actual, path)
        case .array(let values):
            return compare(elements: values, actual, path)
        default: break
        }
        return actual == expected ? nil : "\(path): \(actual), expected \(expected)"
    }

    private mutating func compare(named name: String, _ actual: JSONValue, _ path: String) -> String? {
        if let known = names[name] { return known == actual ? nil : "\(path): \(actual), but <\(name)> is \(known)" }
        names[name] = actual
        return nil
    }

    private mutating func compare(fields: [String: JSONValue], _ actual: JSONValue, _ path: String) -> String? {
        guard let found = actual.object else { return "\(path): \(actual) is no object" }
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            if let problem = compare(found[key], value, path.isEmpty ? key : "\(path).\(key)") { return problem }
        }
        return nil
    }

    private mutating func compare(elements: [JSONValue], _ actual: JSONValue, _ path: String) -> String? {
        guard let found = actual.array else { return "\(path): \(actual) is no array" }
        guard found.count == elements.count else { return "\(path): \(actual), expected \(JSONValue.array(elements))" }
        for index in elements.indices {
            if let problem = compare(found[index], elements[index], "\(path)[\(index)]") { return problem }
        }
        return nil
    }

    /// The patterns that are written as an object; nil when these fields are none of them.
    private mutating func special(
        _ actual: JSONValue,
        _ fields: [String: JSONValue],
        _ path: String,
    ) -> (problem: String?, Void)? {
        if fields["repeat"] != nil {
            let expected = (try? HexText.bytes(of: .object(fields))).map { HexText.value(of: $0) }
            return (actual == expected ? nil : "\(path): \(actual), expected \(JSONValue.object(fields))", ())
        }
        guard fields.count == 1, let (key, value) = fields.first else { return nil }
        switch key {
        case "anything":
            return (nil, ())
        case "oneOf":
            for choice in value.array ?? [] {
                var trial = self
                if trial.compare(actual, choice, path) == nil {
                    self = trial
                    return (nil, ())
                }
            }
            return ("\(path): \(actual), expected one of \(value)", ())
        case "not":
            var trial = self
            let matches = trial.compare(actual, value, path) == nil
            return (matches ? "\(path): \(actual), expected something else" : nil, ())
        case "atLeast":
            let holds = (actual.seconds ?? -1) >= (value.seconds ?? 0)
            return (holds ? nil : "\(path): \(actual), expected at least \(value)", ())
        case "atMost":
            let holds = actual.seconds.map { $0 <= value.seconds ?? 0 } ?? false
            return (holds ? nil : "\(path): \(actual), expected at most \(value)", ())
        case "unordered":
            return (unordered(actual, value.array ?? [], path), ())
        default:
            return nil
        }
    }

    private func unordered(_ actual: JSONValue, _ expected: [JSONValue], _ path: String) -> String? {
        let sort = { (values: [JSONValue]) in values.map(\.description).sorted() }
        guard let found = actual.array, sort(found) == sort(expected) else {
            return "\(path): \(actual), expected \(expected) in any order"
        }
        return nil
    }
}
