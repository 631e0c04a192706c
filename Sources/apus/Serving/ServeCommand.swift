internal import ApusBroker
internal import ApusConfiguration
internal import ApusLoop
internal import ApusStore
internal import ApusTransport
internal import ArgumentParser

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the broker.",
        discussion: """
            Settings come from the built-in defaults, the configuration file, the environment (APUS_…) and flags, each \
            over the one before. SIGHUP reads them again and makes effective what can change while running; SIGTERM and \
            SIGINT end the process gracefully, and at once when one of them comes a second time.
            """,
    )

    @OptionGroup var source: ConfigurationOptions

    @Option(name: .long, help: "debug, info, notice, warning or error; overrides `logging.level`.")
    var logLevel: String?

    @Option(
        name: .long,
        help: ArgumentHelp("A resources file to apply before the first connection; needs the API.", valueName: "file")
    )
    var apply: String?

    func run() throws {
        ignoreBrokenPipe()
        Machine.keepFreedMemory()
        do {
            try serve()
        } catch let error as SystemError {
            throw CommandFailure(error.description)
        } catch let error as TransportError {
            throw CommandFailure(error.description)
        }
    }

    private func serve() throws {
        let configuration = try load()
        // Signals are blocked before the first thread starts, so that every thread inherits it.
        let signals = try SignalWaiter()
        let openFiles = Machine.raiseOpenFileLimit()
        if apply != nil, configuration.api.listen == nil {
            throw CommandFailure(
                "--apply needs the management API: give --api http://127.0.0.1:18083 or set api.listen"
            )
        }
        let log = try EventLog(
            level: EventLevel(configuration.logging.level),
            format: LogFormat(configuration.logging.format)
        )
        // Also where the start fails: what led to it is in the log, and the error comes after it.
        defer { log.finish() }
        let service = try Service(
            configuration,
            isDevelopment: source.dev,
            openFileLimit: openFiles,
            resources: apply,
            log: log,
        )
        let endpoints = try service.start()
        for endpoint in endpoints { StandardOutput.write("endpoint \(endpoint.url)\n") }
        for line in try service.startManagement(endpoints) { StandardOutput.write(line + "\n") }
        StandardOutput.write("ready\n")
        var isEnding = false
        while !isEnding {
            switch signals.wait() {
            case .reload: reload(service)
            case .terminate, .interrupt: isEnding = true
            }
        }
        let hasEnded = service.stop { Self.endIsUrged(by: signals) }
        guard hasEnded else { throw ExitCode.failure }
    }

    /// Whether one more signal to end has come; a reload is too late now.
    private static func endIsUrged(by signals: borrowing SignalWaiter) -> Bool {
        while let signal = signals.next() {
            if signal != .reload { return true }
        }
        return false
    }

    private func load() throws -> Configuration {
        var source = source
        if let logLevel { source.set.append("logging.level=\(logLevel)") }
        return try source.load()
    }

    private func reload(_ service: Service) {
        do {
            service.reload(try load(), from: source.config)
        } catch {
            service.reloadFailed("\(error)")
        }
    }
}
