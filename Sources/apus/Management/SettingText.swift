internal import ApusConfiguration
internal import ApusMessage
internal import ApusResources
internal import ArgumentParser

/// A policy or limit of an instance as an option says it: `name=value`.
enum SettingText {
    private static let words = [
        "duplicateClientId": Policies.DuplicateClientID.allCases.map(\.rawValue),
        "onDenied": Policies.OnDenied.allCases.map(\.rawValue),
    ]

    static func policy(_ text: String) throws -> JSONValue.Member {
        let member = try assignment(text)
        try check(member.key, "policy", among: ResourceDocument.PolicyFields.names)
        if let words = words[member.key], case .string(let word) = member.value {
            try check(word, "value of \(member.key)", among: words)
        }
        return member
    }

    static func limit(_ text: String) throws -> JSONValue.Member {
        let member = try assignment(text)
        try check(member.key, "limit", among: InstanceLimits.Name.allCases.map(\.rawValue))
        return member
    }

    /// `name=value` as a member: numbers and truth values as such, `default` as null.
    static func assignment(_ text: String) throws -> JSONValue.Member {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty else {
            throw ValidationError("'\(text)' is not of the form name=value")
        }
        return JSONValue.Member(key: parts[0], value: value(parts[1]))
    }

    private static func check(_ word: String, _ kind: String, among words: [String]) throws {
        guard !words.contains(word) else { return }
        let advice = nearestName(to: word, among: words).map { "; did you mean `\($0)`?" }
        throw ValidationError("`\(word)` is no \(kind)" + (advice ?? "; there are \(words.joined(separator: ", "))"))
    }

    private static func value(_ text: String) -> JSONValue {
        switch text {
        case "default": .null
        case "true", "yes": .bool(true)
        case "false", "no": .bool(false)
        default: Int(text).map { .number($0) } ?? .string(text)
        }
    }
}
