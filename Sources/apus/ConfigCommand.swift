internal import ApusConfiguration
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
            abstract: "Read a configuration as `serve` would, and say what is wrong with it or what is in force.",
        )

        @OptionGroup var source: ConfigurationOptions

        func run() throws {
            let configuration = try source.load()
            print(configuration.redactedDescription)
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
        do {
            var overrides = try set.map {
                try ConfigurationOverride(option: "--set", assignment: $0)
            }
            if let data {
                overrides.append(ConfigurationOverride(option: "--data", key: "data.directory", value: data))
            }
            overrides += listen.map { ConfigurationOverride(option: "--listen", key: "listeners", value: $0) }
            return try Configuration.load(
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
