/// What one step of an examination found.
struct DoctorStep: Equatable {
    enum Outcome: String {
        case ok
        case failed
        /// Not tried, and why.
        case skipped
    }

    var name: String
    var outcome: Outcome
    var detail: String
    /// What to do, a sentence each.
    var advice: [String] = []

    /// Lines for a person: outcome, name, detail, and advice below.
    static func text(_ steps: [DoctorStep]) -> String {
        let width = steps.map(\.name.count).max() ?? 0
        return steps.map { step in
            let outcome = step.outcome.rawValue + String(repeating: " ", count: 9 - step.outcome.rawValue.count)
            let name = step.name + String(repeating: " ", count: width - step.name.count + 2)
            let margin = String(repeating: " ", count: 9 + width + 2)
            let advice = step.advice.map { "\(margin)→ \(StorageText.shown($0, atMost: 1000))\n" }.joined()
            return "\(outcome)\(name)\(StorageText.shown(step.detail, atMost: 1000))\n\(advice)"
        }
        .joined()
    }

    var json: JSONValue {
        .object([
            "step": .string(name), "outcome": .string(outcome.rawValue), "detail": .string(detail),
            "advice": advice.isEmpty ? nil : .array(advice.map { .string($0) }),
        ])
    }
}
