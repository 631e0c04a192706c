/// One thing that is wrong with a configuration: where, which key, why, and what was probably meant.
package struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    /// Where a value came from.
    package enum Source: Sendable, Equatable, CustomStringConvertible {
        /// Lines count from 1; `nil` when the whole file is meant.
        case file(String, line: Int?)
        case environment(variable: String)
        case commandLine(option: String)
        /// Values that are fine by themselves and do not fit together.
        case combination

        package var description: String {
            switch self {
            case .file(let name, let line?): "\(name):\(line)"
            case .file(let name, nil): name
            case .environment(let variable): "environment \(variable)"
            case .commandLine(let option): "command line \(option)"
            case .combination: "configuration"
            }
        }
    }

    package var source: Source
    /// Dotted; empty when no key is to blame.
    package var key: String
    package var reason: String
    /// The nearest valid key or value.
    package var suggestion: String?

    package init(source: Source, key: String, reason: String, suggestion: String? = nil) {
        self.source = source
        self.key = key
        self.reason = reason
        self.suggestion = suggestion
    }

    /// One line, as in ``apus.yaml:12: limits.conections: unknown key; did you mean `limits.connections`?``.
    package var description: String {
        let question = suggestion.map { "; did you mean `\($0)`?" } ?? ""
        return "\(source): \(key.isEmpty ? "" : "\(key): ")\(reason)\(question)"
    }
}

/// Everything that is wrong with a configuration, in the order of its sources.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    package var problems: [ConfigurationProblem]

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Why a value cannot be used, before anybody knows where it stands.
package struct InvalidValue: Error, Equatable {
    package var reason: String
    package var suggestion: String?

    init(_ reason: String, suggestion: String? = nil) {
        self.reason = reason
        self.suggestion = suggestion
    }
}
