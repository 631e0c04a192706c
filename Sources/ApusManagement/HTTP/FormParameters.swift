/// What is wrong with a query or form.
enum FormError: Error, Equatable {
    /// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
    case malformed(String)
    case duplicate(String)
    case tooMany
}

/// The pairs of a query or of a form body (`application/x-www-form-urlencoded`), or of both.
struct FormParameters: Sendable {
    /// A request with more is refused: no action needs as many.
    static let mostPairs = 4_096

    private(set) var values: [String: String] = [:]

    init() {}

    /// Adds the pairs of a text; empty parts between `&` are passed over.
    mutating func add(_ text: some StringProtocol) throws(FormError) {
        for part in text.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let rawName = pair[0]
            guard let name = PercentEncoding.decode(rawName, plusIsSpace: true),
                let value = PercentEncoding.decode(pair.count > 1 ? pair[1] : "", plusIsSpace: true)
            else { throw .malformed(excerpt(rawName)) }
            guard values.updateValue(value, forKey: name) == nil else { throw .duplicate(excerpt(name)) }
            guard values.count <= Self.mostPairs else { throw .tooMany }
        }
    }

    subscript(name: String) -> String? { values[name] }

    /// By name, in the order of its bytes.
    var sorted: [(name: String, value: String)] {
        values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { ($0.key, $0.value) }
    }
}
