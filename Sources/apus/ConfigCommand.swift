internal import ApusConfiguration
internal import ApusLoop
internal import ArgumentParser
internal import FoundationEssentials

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Check a configuration, or print the default one.",
        subcommands: [Check.self, Default.self],
    )

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read a configuration and all files that it names, and say what is wrong with them.",
            discussion: """
                Reports every problem on standard error, with file, line and key, and ends with one line on standard \
                output: that the configuration is valid, or how many problems it has. Exit codes: 0 valid, 1 problems, \
                2 a mistake in the options. Files are opened with the rights of whoever runs the check. A certificate \
                that has expired and a key that everybody can read are problems here; `serve` starts with them. A \
                warning, as of an API without TLS that other machines can reach, leaves the configuration valid.
                """,
        )

        @Argument(help: "The configuration file (YAML); the same as --config.")
        var file: String?

        @Flag(name: .long, help: "Print the settings that would be in force, one a line, before the verdict.")
        var show = false

        @OptionGroup var source: ConfigurationOptions

        func validate() throws {
            guard file == nil || source.config == nil else {
                throw ValidationError("the file is named twice; leave --config out")
            }
        }

        func run() throws {
            var source = source
            source.config = source.config ?? file
            let examination = try source.examine()
            var problems = examination.problems
            // Of a file that could not be read nothing is known.
            problems += ConfigurationFileCheck.problems(of: examination)
            for problem in problems { StandardError.write("\(problem)\n") }
            if show { print(examination.configuration.redactedDescription) }
            let name = source.config ?? "configuration without a file"
            guard problems.isEmpty else {
                print("\(name): \(problems.count) problem\(problems.count == 1 ? "" : "s")")
                throw ExitCode(1)
            }
            for warning in examination.warnings { StandardError.write("warning: \(warning)\n") }
            let count = examination.warnings.count
            print("\(name): valid\(count == 0 ? "" : ", with \(count) warning\(count == 1 ? "" : "s")")")
        }
    }

    struct Default: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the commented default configuration; a good start for your own file.",
        )

        func run() { print(Configuration.defaultYAML) }
    }
}

/// Where a configuration comes from: file < environment < flags.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: .long, help: "The configuration file (YAML).")
    var config: String?

    @Option(name: .long, help: "The data directory; overrides `data.directory`.")
    var data: String?

    @Option(
        name: .long,
        help:
            "mqtt://HOST:PORT, mqtts://, ws://, wss:// or unix:PATH; may be repeated, replaces the configured listeners.",
    )
    var listen: [String] = []

    @Option(name: .long, help: "http://HOST:PORT of the management API, or https; overrides `api.listen`.")
    var api: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Any other setting, as key=value; may be repeated.", valueName: "key=value")
    )
    var set: [String] = []

    @Flag(
        name: .long,
        help: "Development mode: loopback listeners only, everybody may connect without a password and do everything.",
    )
    var dev = false

    func load() throws -> Configuration {
        let examination = try examine()
        do {
            return try examination.usable()
        } catch {
            throw CommandFailure(error.description)
        }
    }

    /// Reads all sources, and finds out what is wrong with them.
    func examine() throws -> Configuration.Examination {
        do {
            var overrides = try set.map {
                try ConfigurationOverride(option: "--set", assignment: $0)
            }
            if let data {
                overrides.append(ConfigurationOverride(option: "--data", key: "data.directory", value: data))
            }
            if let api { overrides.append(ConfigurationOverride(option: "--api", key: "api.listen", value: api)) }
            overrides += listen.map { ConfigurationOverride(option: "--listen", key: "listeners", value: $0) }
            return Configuration.Examination(
                file: config,
                environment: ProcessInfo.processInfo.environment,
                overrides: overrides,
                purpose: dev ? .development : .service,
            )
        } catch let error as ConfigurationError {
            throw CommandFailure(error.description)
        }
    }
}
