/// A part of a resources document that is read as far as it can be.
protocol DocumentPart: Decodable {
    /// What stands for a part that could not be read, so that those behind it keep their places.
    static var unreadable: Self { get }
    /// What of it could not be read.
    var problems: [DocumentError.Problem] { get }
}

/// The members of a JSON object, of which none may be unknown.
///
/// What is wrong with one does not keep the others from being read.
struct DocumentFields {
    private let container: KeyedDecodingContainer<AnyKey>
    private let place: String
    private(set) var problems: [DocumentError.Problem] = []

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// - Throws: `DocumentError` when there is no object.
    init(_ decoder: any Decoder, _ names: [String]) throws {
        place = Self.path(decoder.codingPath)
        do {
            container = try decoder.container(keyedBy: AnyKey.self)
        } catch {
            let message = "an object is expected, with \(names.joined(separator: ", "))"
            throw DocumentError(DocumentError.Problem(place, message))
        }
        for key in container.allKeys.map(\.stringValue).filter({ !names.contains($0) }).sorted() {
            let name = Self.shown(key)
            let message = "unknown key `\(name)`; there are \(names.joined(separator: ", "))"
            problems.append(DocumentError.Problem(Self.join(place, name), message))
        }
    }

    /// Text that must be there; empty when it is not.
    mutating func text(_ name: String) -> String {
        let before = problems.count
        if let value: String = optional(name) { return value }
        if problems.count == before {
            problems.append(DocumentError.Problem(Self.join(place, name), "`\(name)` is missing"))
        }
        return ""
    }

    /// - Returns: `nil` when it is left out, null, or wrong.
    mutating func optional<Value: Decodable>(_ name: String, _ type: Value.Type = Value.self) -> Value? {
        do {
            return try container.decodeIfPresent(Value.self, forKey: AnyKey(stringValue: name))
        } catch {
            problems += Self.problems(error, name, at: Self.join(place, name))
            return nil
        }
    }

    /// The text of one of several words, which are told where there is no text, as in YAML's `onDenied: yes`.
    ///
    /// - Returns: any text that there is; `nil` when it is left out, null, or none.
    mutating func word<Word: RawRepresentable<String> & CaseIterable>(_ name: String, of type: Word.Type) -> String? {
        let before = problems.count
        let text: String? = optional(name)
        if problems.count > before {
            let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
            problems[before...] = [
                DocumentError.Problem(Self.join(place, name), "`\(name)` is not one of the words \(words)")
            ]
        }
        return text
    }

    /// A part with parts of its own.
    mutating func part<Part: DocumentPart>(_ name: String) -> Part? {
        let part: Part? = optional(name)
        problems += part?.problems ?? []
        return part
    }

    /// A list whose items are wrong each for itself; empty when it is left out or null.
    mutating func list<Item: DocumentPart>(_ name: String) -> [Item] {
        list(name, instead: Item.unreadable, problems: \.problems)
    }

    /// A list of texts; one that is none is empty.
    mutating func texts(_ name: String) -> [String] { list(name, instead: "") { _ in [] } }

    /// - Parameters:
    ///   - instead: stands for what cannot be read.
    ///   - found: what could not be read of an item.
    private mutating func list<Item: Decodable>(
        _ name: String,
        instead: Item,
        problems found: (Item) -> [DocumentError.Problem],
    ) -> [Item] {
        let key = AnyKey(stringValue: name)
        let place = Self.join(place, name)
        guard container.contains(key), (try? container.decodeNil(forKey: key)) != true else { return [] }
        guard var rest = try? container.nestedUnkeyedContainer(forKey: key) else {
            problems.append(DocumentError.Problem(place, "`\(name)` is not of the right type; a list is expected"))
            return []
        }
        var items: [Item] = []
        // A megabyte of mistakes is not looked through to its end.
        while !rest.isAtEnd, problems.count < DocumentError.most {
            do {
                let item = try rest.decode(Item.self)
                problems += found(item)
                items.append(item)
            } catch {
                problems += Self.problems(error, name, at: "\(place)[\(items.count)]")
                items.append(instead)
                guard Self.skip(&rest) else { break }
            }
        }
        return items
    }

    /// Goes past an item that could not be read.
    private static func skip(_ rest: inout any UnkeyedDecodingContainer) -> Bool {
        struct Anything: Decodable {
            init(from decoder: any Decoder) {}
        }
        if (try? rest.decodeNil()) == true { return true }
        return (try? rest.decode(Anything.self)) != nil
    }

    private static func problems(_ error: any Error, _ name: String, at place: String) -> [DocumentError.Problem] {
        if let error = error as? DocumentError { return error.problems }
        // JSONDecoder's own has no place: a number that the type cannot hold.
        let (path, expected) = (error as? DecodingError).map(Self.place) ?? (nil, nil)
        let right = expected.map { "; \($0) is expected" } ?? ""
        return [DocumentError.Problem(path ?? place, "`\(name)` is not of the right type\(right)")]
    }

    private static func place(_ error: DecodingError) -> (path: String?, expected: String?) {
        switch error {
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            return (path(context.codingPath), expected(type))
        case .keyNotFound(let key, let context): return (join(path(context.codingPath), key.stringValue), nil)
        case .dataCorrupted(let context): return (path(context.codingPath), nil)
        @unknown default: return (nil, nil)
        }
    }

    private static func expected(_ type: Any.Type) -> String? {
        switch type {
        case is String.Type: "text"
        case is Int.Type: "a whole number"
        case is Bool.Type: "true or false"
        case is any Sequence.Type: "a list or an object"
        default: nil
        }
    }

    /// As far as it is a word: of `secret:…`, without the space that makes it a key and a value, the secret is not told.
    private static func shown(_ key: String) -> String {
        let word = key.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }
        return String(word).legible(most: 64) + (word.endIndex == key.endIndex ? "" : "…")
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.reduce("") { path, key in
            key.intValue.map { "\(path)[\($0)]" } ?? join(path, key.stringValue)
        }
    }

    private static func join(_ place: String, _ name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }
}
