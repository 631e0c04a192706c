internal import FoundationEssentials

/// A value that the command line sets, in dotted spelling.
package struct ConfigurationOverride: Sendable, Equatable {
    /// What the person typed, for errors: `--data`.
    package var option: String
    package var key: String
    package var value: String

    /// Several overrides of `listeners` are a list; they replace the listeners of the file together.
    package init(option: String, key: String, value: String) {
        self.option = option
        self.key = key
        self.value = value
    }

    /// Reads `limits.connections=500`.
    package init(option: String, assignment: String) throws(ConfigurationError) {
        guard let equals = assignment.firstIndex(of: "=") else {
            let reason = "`\(assignment)` is not written key=value"
            throw ConfigurationError(
                problems: [ConfigurationProblem(source: .commandLine(option: option), key: "", reason: reason)]
            )
        }
        self.init(
            option: option,
            key: String(assignment[..<equals]),
            value: String(assignment[assignment.index(after: equals)...]),
        )
    }
}

extension Configuration {
    /// What rules the values must obey together.
    package enum Purpose: Sendable {
        /// TLS listeners need certificates.
        case service
        /// `--dev`: this machine only; certificates may be missing, since the executable can make one.
        case development
    }

    /// Reads the file and what lies over it: built-in default < file < environment < command line.
    ///
    /// - Throws: All problems of all sources together.
    package static func load(
        file path: String?,
        environment: [String: String] = [:],
        overrides: [ConfigurationOverride] = [],
        purpose: Purpose = .service,
    ) throws(ConfigurationError) -> Configuration {
        guard let path else {
            return try load(yaml: nil, environment: environment, overrides: overrides, purpose: purpose)
        }
        func unreadable(_ reason: String) -> ConfigurationError {
            ConfigurationError(
                problems: [ConfigurationProblem(source: .file(path, line: nil), key: "", reason: reason)]
            )
        }
        let content: FoundationEssentials.Data
        do {
            content = try FoundationEssentials.Data(contentsOf: URL(filePath: path))
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
            throw unreadable("there is no such file")
        } catch {
            throw unreadable("cannot be read (\(error))")
        }
        guard let text = String(validating: content, as: UTF8.self) else { throw unreadable("is not UTF-8 text") }
        return try load(
            yaml: (name: path, text: text),
            environment: environment,
            overrides: overrides,
            purpose: purpose,
        )
    }

    /// The same with the file's text, for whoever has it already.
    package static func load(
        yaml: (name: String, text: String)?,
        environment: [String: String] = [:],
        overrides: [ConfigurationOverride] = [],
        purpose: Purpose = .service,
    ) throws(ConfigurationError) -> Configuration {
        var reader = ConfigurationReader()
        if let yaml { reader.read(yaml: yaml.text, file: yaml.name) }
        reader.read(environment: environment)
        reader.read(overrides: overrides)
        // Values that are wrong by themselves would only bring follow-up errors.
        if reader.problems.isEmpty { reader.problems = reader.configuration.problems(for: purpose) }
        guard reader.problems.isEmpty else { throw ConfigurationError(problems: reader.problems) }
        return reader.configuration
    }
}
