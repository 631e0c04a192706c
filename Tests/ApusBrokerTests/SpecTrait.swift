import Testing

/// Names the normative statements that a test or a suite checks; `docs/conformance` is collected from it.
struct SpecTrait: TestTrait, SuiteTrait {
    let statements: [String]
    let isRecursive = true

    var comments: [Comment] { statements.map { Comment(rawValue: $0) } }
}

extension Trait where Self == SpecTrait {
    /// Statement identifiers of MQTT 5.0 such as `MQTT-3.3.1-4`; `v3 MQTT-…` where only 3.1.1 has the statement.
    static func spec(_ statements: String...) -> SpecTrait { SpecTrait(statements: statements) }
}
