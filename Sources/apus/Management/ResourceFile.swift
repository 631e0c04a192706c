internal import ApusLoop
internal import Yams

/// A resources file as a person writes it, in YAML, and as the API takes it, in JSON.
struct ResourceFile {
    /// What is wrong with a part.
    struct Problem {
        /// As the API names it; `body` or empty for all of the file.
        var field: String
        var message: String
    }

    let path: String
    let document: JSONValue
    /// Where each part stands, by its path as the API names it: `instances[0].topics[3]`.
    private var lines: [String: Int] = [:]

    /// - Parameter path: `-` is standard input.
    init(path: String) throws {
        let name = path == "-" ? "standard input" : path
        let bytes: [UInt8]?
        do {
            let limit = Self.largest
            bytes =
                path == "-"
                ? try StandardStream.readAll(StandardStream.input, limit: limit)
                : try StandardStream.readAll(file: path, limit: limit)
        } catch {
            throw CommandFailure(error.description)
        }
        guard let bytes, let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure("\(name) is larger than 16 MiB or no UTF-8")
        }
        try self.init(text: text, path: name)
    }

    init(text: String, path: String) throws {
        self.path = path
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw CommandFailure(Self.describe(error, path))
        }
        var lines: [String: Int] = [:]
        guard let root else { throw CommandFailure("\(path) is empty") }
        guard root.mapping != nil else {
            let line = root.mark.map { ":\($0.line)" } ?? ""
            throw CommandFailure("\(path)\(line): the file must be a mapping with accounts and instances")
        }
        document = try Self.value(root, at: "", file: path, depth: 0, &lines)
        self.lines = lines
    }

    /// Where the file is no YAML and why, with nothing of its content but the names of keys: it holds secrets, and what a
    /// command says may end in a public log.
    private static func describe(_ error: YamlError, _ path: String) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "\(path):\(mark.line): is not YAML: \(problem) (column \(mark.column))"
        case .duplicatedKeysInMapping(let duplicates, let context):
            "\(path):\(context.mark.line): the mapping that begins here has \(duplicates.joined(separator: ", ")) twice"
        case .reader(let problem, let offset, _, _):
            "\(path): is not YAML: \(problem)\(offset.map { " at byte \($0)" } ?? "")"
        default: "\(path) is not YAML"
        }
    }

    private static let largest = 16 << 20
    private static let deepest = 32
    private static let most = 100_000

    /// The place where a part stands.
    func place(of field: String?) -> String {
        line(of: field ?? "").map { "\(path):\($0)" } ?? path
    }

    /// Lines for people: what is wrong, from the top of the file to its end, and that nothing came of it.
    func report(_ problems: [Problem]) -> [String] {
        // The service finds them in the order of its own work.
        let sorted = problems.enumerated()
            .sorted { (line(of: $0.element.field) ?? 0, $0.offset) < (line(of: $1.element.field) ?? 0, $1.offset) }
            .map(\.element)
        let lines = sorted.map { problem in
            let field = problem.field.isEmpty ? "" : "\(problem.field): "
            return StorageText.shown("\(place(of: problem.field)): \(field)\(problem.message)", atMost: 1000)
        }
        let more = problems.count < Self.mostProblems ? "" : "; there may be more"
        return lines + ["\(StorageText.count(problems.count, "problem"))\(more); nothing was changed"]
    }

    /// As many as a report of the service has.
    private static let mostProblems = 20

    /// Of a part, or of what it belongs to.
    private func line(of field: String) -> Int? {
        var field = field[...]
        while !field.isEmpty {
            if let line = lines[String(field)] { return line }
            field = field[..<(field.lastIndex { $0 == "." || $0 == "[" } ?? field.startIndex)]
        }
        return nil
    }

    private static func value(
        _ node: Node,
        at place: String,
        file: String,
        depth: Int,
        _ lines: inout [String: Int],
    ) throws -> JSONValue {
        if let mark = node.mark { lines[place] = lines[place] ?? mark.line }
        // Aliases stand for all that they name, again and again.
        guard depth < deepest, lines.count < most else { throw CommandFailure("\(file): too many parts, or too deep") }
        switch node {
        case .mapping(let mapping):
            var members: [JSONValue.Member] = []
            for (key, child) in mapping {
                guard let name = key.scalar?.string else {
                    throw CommandFailure("\(file):\(key.mark?.line ?? 0): a key must be a plain name")
                }
                let childPlace = place.isEmpty ? name : "\(place).\(name)"
                lines[childPlace] = key.mark?.line
                let value = try value(child, at: childPlace, file: file, depth: depth + 1, &lines)
                members.append(.init(key: name, value: value))
            }
            return .object(members)
        case .sequence(let sequence):
            return .array(
                try sequence.enumerated().map { index, child in
                    try value(child, at: "\(place)[\(index)]", file: file, depth: depth + 1, &lines)
                }
            )
        case .scalar(let scalar): return Self.scalar(scalar)
        case .alias: throw CommandFailure("\(file): aliases are not supported")
        }
    }

    /// Plain scalars have the type that YAML gives them; quoted ones are text.
    ///
    /// Only the forms that such a file needs: Yams' own resolver tries some regular expressions on each.
    private static func scalar(_ scalar: Node.Scalar) -> JSONValue {
        let text = scalar.string
        guard scalar.style == .plain || scalar.style == .any else { return .string(text) }
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": return .bool(true)
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": return .bool(false)
        default:
            guard let first = text.utf8.first, first < UInt8(ascii: "A") else { return .string(text) }
            return Int(text.replacing("_", with: "")).map { .number($0) } ?? .string(text)
        }
    }
}

/// JSON as YAML that people like to read: blocks, and plain words where they mean themselves.
enum YAMLText {
    static func write(_ value: JSONValue) -> String { block(value, margin: "") }

    private static func block(_ value: JSONValue, margin: String) -> String {
        switch value {
        case .object(let members) where !members.isEmpty:
            members.map { "\(margin)\(scalar($0.key)):\(nested($0.value, margin: margin))" }.joined()
        case .array(let items) where !items.isEmpty:
            items.map { item in
                let text = block(item, margin: margin + "  ")
                return isLeaf(item) ? "\(margin)- \(text)" : "\(margin)- \(text.dropFirst(margin.count + 2))"
            }
            .joined()
        default: leaf(value) + "\n"
        }
    }

    private static func nested(_ value: JSONValue, margin: String) -> String {
        isLeaf(value) ? " \(leaf(value))\n" : "\n" + block(value, margin: margin + "  ")
    }

    private static func isLeaf(_ value: JSONValue) -> Bool {
        switch value {
        case .object(let members): members.isEmpty
        case .array(let items): items.isEmpty
        default: true
        }
    }

    private static func leaf(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): scalar(text)
        default: value.text
        }
    }

    /// Quoted unless it begins with a letter, holds only what is plain everywhere, and is no word with a meaning.
    private static func scalar(_ text: String) -> String {
        let meaning: Set<String> = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        let isPlain = text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        let first = text.unicodeScalars.first
        guard isPlain, let first, first.properties.isAlphabetic, !meaning.contains(text.lowercased()) else {
            return JSONText.quoted(text)
        }
        return text
    }
}
