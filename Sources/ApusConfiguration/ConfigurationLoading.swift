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
        try Examination(file: path, environment: environment, overrides: overrides, purpose: purpose).usable()
    }

    /// The same with the file's text, for whoever has it already.
    package static func load(
        yaml: (name: String, text: String)?,
        environment: [String: String] = [:],
        overrides: [ConfigurationOverride] = [],
        purpose: Purpose = .service,
    ) throws(ConfigurationError) -> Configuration {
        try Examination(yaml: yaml, environment: environment, overrides: overrides, purpose: purpose).usable()
    }

    /// What could be read of a configuration, and all that is wrong with it.
    package struct Examination: Sendable {
        /// Where something is wrong it holds the default.
        package private(set) var configuration: Configuration
        package private(set) var problems: [ConfigurationProblem]
        /// What works all the same; empty where there are problems.
        package let warnings: [ConfigurationProblem]
        private let origins: [String: ConfigurationProblem.Source]

        package init(
            file path: String?,
            environment: [String: String] = [:],
            overrides: [ConfigurationOverride] = [],
            purpose: Purpose = .service,
        ) {
            var yaml: (name: String, text: String)?
            var unreadable: ConfigurationProblem?
            do throws(InvalidValue) {
                if let path { yaml = (name: path, text: try Self.text(of: path)) }
            } catch {
                unreadable = ConfigurationProblem(
                    source: .file(path ?? "", line: nil),
                    key: "",
                    reason: error.reason
                )
            }
            self.init(yaml: yaml, environment: environment, overrides: overrides, purpose: purpose)
            // What the missing file may have said is not known; nothing else is worth reporting.
            if let unreadable { problems = [unreadable] }
        }

        init(
            yaml: (name: String, text: String)?,
            environment: [String: String],
            overrides: [ConfigurationOverride],
            purpose: Purpose,
        ) {
            var reader = ConfigurationReader()
            if let yaml { reader.read(yaml: yaml.text, file: yaml.name) }
            reader.read(environment: environment)
            reader.read(overrides: overrides)
            let origins = reader.origins
            func placed(_ problem: ConfigurationProblem) -> ConfigurationProblem {
                var problem = problem
                problem.source = origins[problem.key] ?? problem.source
                return problem
            }
            configuration = reader.configuration
            problems = reader.problems
            problems += configuration.problems(for: purpose, beside: problems).map(placed)
            warnings = problems.isEmpty ? configuration.warnings.map(placed) : []
            self.origins = origins
        }

        /// Where the value of a key came from.
        ///
        /// - Parameter key: Dotted; of lists `tls.hosts[0].key`, `listeners[1].tls.key` or `listeners[1]`.
        package func origin(of key: String) -> ConfigurationProblem.Source { origins[key] ?? .combination }

        /// The configuration, if nothing is wrong with it.
        package func usable() throws(ConfigurationError) -> Configuration {
            guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
            return configuration
        }

        private static func text(of path: String) throws(InvalidValue) -> String {
            let content: FoundationEssentials.Data
            do {
                content = try FoundationEssentials.Data(contentsOf: URL(filePath: path))
            } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
                throw InvalidValue("there is no such file")
            } catch let error as CocoaError where error.code == .fileReadNoPermission {
                throw InvalidValue("cannot be read: permission denied")
            } catch {
                var isFolder = false
                _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
                throw InvalidValue(isFolder ? "is a folder; name a file in it" : "cannot be read")
            }
            guard let text = String(validating: content, as: UTF8.self) else {
                throw InvalidValue("is not UTF-8 text")
            }
            return text
        }
    }
}
