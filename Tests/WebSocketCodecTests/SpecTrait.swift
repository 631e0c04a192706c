import Testing

/// The normative statements that a test pins.
struct SpecTrait: TestTrait, SuiteTrait {
    let identifiers: [String]
    var comments: [Comment] { identifiers.map { Comment(rawValue: "[\($0)]") } }
}

extension Trait where Self == SpecTrait {
    static func spec(_ identifiers: String...) -> SpecTrait { SpecTrait(identifiers: identifiers) }
}
