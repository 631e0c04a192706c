/// Reads the parameters of an action as what they must be; each refusal names the parameter and what it may be.
struct ParameterReader: Sendable {
    let values: FormParameters
    let family: ParameterFamily
    /// Before the names, of the members of an object in a list: `Messages.1.`.
    private var prefix = ""

    init(_ values: FormParameters, family: ParameterFamily) {
        self.values = values
        self.family = family
    }

    func refusal(of name: String, _ message: String) -> RPCError { family.refusal(of: prefix + name, message) }

    /// The value; `nil` when it is absent or empty.
    func value(_ name: String) -> String? {
        values[prefix + name].flatMap { $0.isEmpty ? nil : $0 }
    }

    private func required<Value>(_ name: String, _ value: Value?) throws(RPCError) -> Value {
        guard let value else { throw refusal(of: name, "it is missing, and the action needs it") }
        return value
    }

    // MARK: - Texts

    func optionalText(_ name: String, most: Int = 256) throws(RPCError) -> String? {
        guard let text = value(name) else { return nil }
        guard text.utf8.count <= most else {
            throw refusal(of: name, "it has \(text.utf8.count) bytes; at most \(most) are allowed")
        }
        return text
    }

    func text(_ name: String, most: Int = 256) throws(RPCError) -> String {
        try required(name, optionalText(name, most: most))
    }

    /// A text that may be empty, but must be there.
    func textOrEmpty(_ name: String) throws(RPCError) -> String {
        try required(name, values[prefix + name])
    }

    func optionalChoice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String,
        _ type: Choice.Type,
    ) throws(RPCError) -> Choice? {
        guard let text = value(name) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let choices = Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
            throw refusal(of: name, "it is '\(excerpt(text))'; it must be one of \(choices)")
        }
        return choice
    }

    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String,
        _ type: Choice.Type,
    ) throws(RPCError) -> Choice {
        try required(name, optionalChoice(name, type))
    }

    // MARK: - Numbers and truth values

    func optionalInteger(_ name: String, in range: ClosedRange<Int64>) throws(RPCError) -> Int64? {
        guard let text = value(name) else { return nil }
        guard let number = Int64(text) else {
            throw refusal(of: name, "it is '\(excerpt(text))'; it must be a whole number in decimal digits")
        }
        guard range.contains(number) else {
            throw refusal(of: name, "it is \(number); it must be \(Self.shown(range))")
        }
        return number
    }

    func integer(_ name: String, in range: ClosedRange<Int64>) throws(RPCError) -> Int64 {
        try required(name, optionalInteger(name, in: range))
    }

    private static func shown(_ range: ClosedRange<Int64>) -> String {
        range.upperBound == .max
            ? "at least \(range.lowerBound)" : "between \(range.lowerBound) and \(range.upperBound)"
    }

    /// `True` and `False` are how the Python SDK writes it, so case does not count (apsaramq-facts 4.1).
    func boolean(_ name: String, default standard: Bool) throws(RPCError) -> Bool {
        guard let text = value(name) else { return standard }
        switch text.lowercased() {
        case "true": return true
        case "false": return false
        default: throw refusal(of: name, "it is '\(excerpt(text))'; it must be 'true' or 'false'")
        }
    }

    // MARK: - Lists

    /// `Name.1`, `Name.2`, …; without a gap.
    func list(_ name: String, most: Int) throws(RPCError) -> [String] {
        var items: [String] = []
        for index in stride(from: 1, through: try count(name, most: most), by: 1) {
            items.append(try text("\(name).\(index)", most: 4_096))
        }
        return items
    }

    func nonEmptyList(_ name: String, most: Int) throws(RPCError) -> [String] {
        let items = try list(name, most: most)
        guard !items.isEmpty else {
            throw refusal(of: name, "it is missing, and the action needs it; write '\(name).1', '\(name).2', …")
        }
        return items
    }

    /// Readers of the objects `Name.1.Field`, `Name.2.Field`, ….
    func objects(_ name: String, most: Int) throws(RPCError) -> [ParameterReader] {
        var readers: [ParameterReader] = []
        for index in stride(from: 1, through: try count(name, most: most), by: 1) {
            var reader = self
            reader.prefix = "\(prefix)\(name).\(index)."
            readers.append(reader)
        }
        return readers
    }

    /// How many items a list has.
    private func count(_ name: String, most: Int) throws(RPCError) -> Int {
        let start = "\(prefix)\(name)."
        var indices: Set<Int> = []
        for key in values.values.keys where key.hasPrefix(start) {
            let text = key.dropFirst(start.count).prefix { $0 != "." }
            guard let index = Int(text), index >= 1 else {
                throw refusal(of: name, "'\(excerpt(key))' is no item; write '\(name).1', '\(name).2', …")
            }
            indices.insert(index)
        }
        guard indices.count <= most else {
            throw refusal(of: name, "it has \(indices.count) items; at most \(most) are allowed")
        }
        guard (indices.max() ?? 0) == indices.count else {
            throw refusal(of: name, "its items are not numbered from 1 without a gap")
        }
        return indices.count
    }
}
