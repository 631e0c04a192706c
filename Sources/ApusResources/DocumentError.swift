/// All that is wrong with a resources document, as far as one thing does not follow from another; at least one thing.
package struct DocumentError: Error, Sendable, Equatable, CustomStringConvertible {
    package struct Problem: Sendable, Equatable {
        /// The part of the document: `instances[0].topics[3]`; empty for all of it.
        package var place: String
        /// With names of the document, and never a secret.
        package var error: ResourceError
    }

    /// More are not looked for: whoever has made as many mistakes does not read on.
    package static let most = 20

    /// From 1 to ``most``.
    package let problems: [Problem]

    package init(_ problem: Problem) { problems = [problem] }

    /// - Returns: `nil` when there is none.
    init?(_ problems: [Problem]) {
        guard !problems.isEmpty else { return nil }
        self.problems = Array(problems.prefix(Self.most))
    }

    package var first: Problem { problems[0] }

    package var description: String {
        problems.map { $0.place.isEmpty ? $0.error.message : "\($0.place): \($0.error.message)" }.joined(
            separator: "; "
        )
    }
}

extension DocumentError.Problem {
    /// A value that cannot be.
    init(_ place: String, _ message: String) {
        self.init(place: place, error: ResourceError(.invalid(field: place), message))
    }
}

/// What has been found so far, without what only follows from it.
struct DocumentProblems {
    private(set) var all: [DocumentError.Problem]
    /// Of parts that could not be read: what stands in their place was never in the document.
    private let unread: [String]

    /// - Parameter all: of the document's reading.
    init(_ all: [DocumentError.Problem]) {
        self.all = all
        unread = all.map(\.place)
    }

    var isFull: Bool { all.count >= DocumentError.most }

    /// Unless something is known to be wrong with that part.
    mutating func add(_ problem: DocumentError.Problem) {
        guard !isFull, !all.contains(where: { $0.place == problem.place }) else { return }
        guard !unread.contains(where: { Self.isPart(problem.place, of: $0) }) else { return }
        all.append(problem)
    }

    /// Whether something is wrong with that part, or with a part of it.
    func concern(_ place: String) -> Bool { all.contains { $0.place == place || Self.isPart($0.place, of: place) } }

    /// Whether the document may name accounts that could not be read.
    var concernAccountNames: Bool {
        unread.contains { place in
            let rest = place.hasPrefix("accounts") ? place.drop { $0 != "]" }.dropFirst() : place[...]
            return rest.isEmpty || rest == ".name" || !place.contains { $0 == "." || $0 == "[" }
        }
    }

    private static func isPart(_ place: String, of whole: String) -> Bool {
        place.hasPrefix("\(whole).") || place.hasPrefix("\(whole)[")
    }
}
