internal import ApusTransport
internal import ArgumentParser
internal import FoundationEssentials
internal import MQTTCodec

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Find out why something does not work.",
        subcommands: [Connect.self],
    )

    struct Connect: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "connect",
            abstract: "Try step by step what a device does, and say what is wrong and what to do.",
            discussion: """
                Steps: DNS, TCP, TLS, WebSocket, CONNECT, and with --topic the right to subscribe to it, with --publish \
                also to publish to it. The client's stored session, if there is one, is left as it is. Best used while \
                the device itself is off: two connections cannot have one client id. No secret is printed.

                The broker is where --url says, or --host, --port, --tls, --websocket and --path together. When it does \
                not speak what was asked for, up to three more connections find out what it does speak.

                Exit codes: 0 all is well, 1 the broker refused something, 2 a mistake in the options, 3 no connection.
                """,
        )

        @Option(name: [.customShort("i"), .long], help: "The device's client id.")
        var clientID: String

        @Option(name: [.customShort("u"), .long], help: "The device's user name.")
        var username: String?

        @Option(
            name: [.customShort("P"), .long],
            help: "The device's password. Others on this machine can see it; better: APUS_PASSWORD.",
        )
        var password: String?

        @Option(
            name: .long,
            help: ArgumentHelp(
                "mqtt://HOST:PORT, mqtts://, ws://HOST:PORT/PATH or wss:// (default: mqtt://127.0.0.1:1883).",
                valueName: "url"
            ),
        )
        var url: String?

        @Option(name: .long, help: "The broker's host, instead of --url.")
        var host: String?

        @Option(
            name: .shortAndLong,
            help: "The port, instead of --url (default: 1883; 8883 with TLS, 80 with WebSocket, 443 with both).",
        )
        var port: UInt16?

        @Flag(name: .customLong("tls"), help: "Use TLS; a URL with mqtts or wss says it itself.")
        var usesTLS = false

        @Flag(name: .customLong("websocket"), help: "Use WebSocket; a URL with ws or wss says it itself.")
        var usesWebSocket = false

        @Option(name: .long, help: ArgumentHelp("The path of the WebSocket (default: /mqtt).", valueName: "path"))
        var path: String?

        @Option(name: .long, help: "A topic or filter: may the device subscribe to it?")
        var topic: String?

        @Flag(name: .long, help: "Also publish an empty message to --topic, which its subscribers get.")
        var publish = false

        @Option(
            name: [.customShort("V"), .long],
            help: ArgumentHelp("3.1.1 or 5 (default: 5, which lets the broker say why).", valueName: "version"),
            transform: OptionText.version,
        )
        var mqttVersion = ProtocolVersion.v5

        @Option(
            name: .long,
            help: ArgumentHelp("How long each step may take (default: 10).", valueName: "seconds"),
            transform: OptionText.seconds,
        )
        var timeout = Duration.seconds(10)

        @Flag(name: .long, help: "Print JSON.")
        var json = false

        @OptionGroup var tls: TLSOptions

        func validate() throws {
            guard timeout > .zero else { throw ValidationError("--timeout must be more than 0") }
            guard path?.hasPrefix("/") ?? true else { throw ValidationError("--path begins with /") }
            let hasParts = host != nil || port != nil || usesTLS || usesWebSocket || path != nil
            guard url == nil || !hasParts else {
                throw ValidationError(
                    "--url holds all of it; leave --host, --port, --tls, --websocket and --path out"
                )
            }
            let place = try place()
            guard !publish || topic != nil else { throw ValidationError("--publish needs --topic") }
            if let topic { try OptionText.checkTopicFilter(topic, option: "--topic") }
            if publish, let topic { try OptionText.checkTopicName(topic, option: "--topic") }
            guard place.usesTLS || !tls.isUsed else {
                throw ValidationError("certificates are for --tls, or a URL with mqtts or wss")
            }
            guard (tls.cert == nil) == (tls.key == nil) else {
                throw ValidationError("--cert and --key belong together")
            }
        }

        /// Where the broker is, by the URL or by the single options.
        func place() throws -> ConnectExamination.Place {
            guard let url else {
                return .init(
                    host: host ?? "127.0.0.1",
                    port: port,
                    usesTLS: usesTLS,
                    usesWebSocket: usesWebSocket,
                    path: path ?? "/mqtt",
                )
            }
            let endpoint: ClientEndpoint
            do {
                endpoint = try ClientEndpoint(url)
            } catch {
                throw ValidationError("\(error)")
            }
            guard case .internet(let host, let port) = endpoint.address else {
                throw ValidationError(
                    "--url \(url): a socket of this machine has no way to examine; `apus sub` tries it"
                )
            }
            return .init(
                host: host,
                port: port,
                usesTLS: endpoint.kind.isSecure,
                usesWebSocket: endpoint.kind.isWebSocket,
                path: endpoint.path,
            )
        }

        func run() throws {
            let secret = password ?? ProcessInfo.processInfo.environment["APUS_PASSWORD"]
            var examination = ConnectExamination(
                place: try place(),
                tls: tls.configuration,
                login: .init(clientID: clientID, userName: username, password: secret),
                version: mqttVersion,
                timeout: timeout,
            )
            examination.run(topic: topic, publishes: publish)
            print(json ? examination.json.indented : examination.text, terminator: json ? "\n" : "")
            if examination.exitCode != 0 { throw ExitCode(examination.exitCode) }
        }
    }
}
