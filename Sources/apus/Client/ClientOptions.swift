internal import ApusLoop
internal import ApusTransport
internal import ArgumentParser
internal import FoundationEssentials
internal import MQTTCodec

/// What `apus pub` and `apus sub` have in common: how to reach a broker, as whom, and how to go on.
struct ClientOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "mqtt://HOST:PORT, mqtts://, ws://HOST:PORT/PATH, wss:// or unix:PATH (default: mqtt://127.0.0.1:1883).",
            valueName: "url"
        ),
    )
    var url: String?

    @Option(name: [.customShort("h"), .long], help: "The broker's host, instead of --url.")
    var host: String?

    @Option(name: .shortAndLong, help: "The broker's port, instead of --url.")
    var port: UInt16?

    @Option(name: [.customShort("i"), .long], help: "The client identifier; without it a random one is made.")
    var clientID: String?

    @Option(name: .shortAndLong, help: "The user name.")
    var user: String?

    @Option(
        name: [.customShort("P"), .long],
        help: "The password. Others on this machine can see it; better: --password-file or APUS_PASSWORD.",
    )
    var password: String?

    @Option(name: .long, help: ArgumentHelp("A file whose first line is the password.", valueName: "file"))
    var passwordFile: String?

    @Flag(name: .long, help: "Prove the password by SCRAM-SHA-256 instead of sending it (MQTT 5).")
    var scram = false

    @Option(
        name: [.customShort("V"), .long],
        help: ArgumentHelp("3.1, 3.1.1 or 5 (default: 5).", valueName: "version"),
        transform: OptionText.version,
    )
    var mqttVersion = ProtocolVersion.v5

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Quality of service: 0, 1 or 2 (default: 0).", valueName: "qos"),
        transform: OptionText.qos,
    )
    var qos = QoS.atMostOnce

    @Option(name: [.customShort("k"), .long], help: ArgumentHelp("0 switches it off.", valueName: "seconds"))
    var keepAlive: UInt16 = 60

    @Flag(inversion: .prefixedNo, help: "Begin a new session, or go on with that of --client-id.")
    var cleanStart = true

    @Option(
        name: .long,
        help: ArgumentHelp("How long the broker shall keep the session afterwards (MQTT 5).", valueName: "seconds"),
    )
    var sessionExpiry: UInt32?

    @Option(
        name: .long,
        help: ArgumentHelp("A property of the message or subscription; may be repeated.", valueName: "name=value"),
        transform: OptionText.userProperty,
    )
    var userProperty: [UserProperty] = []

    @OptionGroup var will: WillOptions
    @OptionGroup var tls: TLSOptions

    @Flag(name: .long, help: "Connect again after a loss, after 0.5 s at first and at most 30 s.")
    var reconnect = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How long to wait for a connection and for each answer (default: 10).",
            valueName: "seconds"
        ),
        transform: OptionText.seconds,
    )
    var timeout = Duration.seconds(10)

    @Flag(name: .long, help: "Say nothing on standard error; the exit code tells.")
    var quiet = false

    @Flag(name: .long, help: "Show packets and reasons on standard error.")
    var verbose = false

    // MARK: - Checks

    mutating func validate() throws {
        guard url == nil || host == nil && port == nil else {
            throw ValidationError("--url holds host and port; leave --host and --port out")
        }
        guard !quiet || !verbose else { throw ValidationError("--quiet and --verbose contradict each other") }
        guard timeout > .zero else { throw ValidationError("--timeout must be more than 0") }
        guard password == nil || passwordFile == nil else {
            throw ValidationError("--password and --password-file contradict each other")
        }
        if !cleanStart, clientID == nil {
            throw ValidationError("--no-clean-start goes on with the session of a client; name it with --client-id")
        }
        if scram, user == nil { throw ValidationError("--scram needs --user") }
        try require5("--scram", scram)
        try require5("--session-expiry", sessionExpiry != nil)
        try require5("--user-property", !userProperty.isEmpty)
        try require5("--will-delay", will.willDelay != nil)
        try will.check()
        let endpoint = try endpoint()
        try tls.check(for: endpoint)
    }

    /// Refuses what only MQTT 5 has.
    func require5(_ option: String, _ isUsed: Bool) throws {
        guard !isUsed || mqttVersion == .v5 else { throw ValidationError("\(option) needs MQTT 5") }
    }

    func endpoint() throws -> ClientEndpoint {
        let host = host ?? "127.0.0.1"
        let bracketed = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        let port = port.map { ":\($0)" } ?? ""
        do {
            return try ClientEndpoint(url ?? "\(tls.isUsed ? "mqtts" : "mqtt")://\(bracketed)\(port)")
        } catch {
            throw ValidationError("\(error)")
        }
    }
}

/// The message that the broker publishes when the client vanishes.
struct WillOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Leave a will on this topic.", valueName: "topic"))
    var willTopic: String?

    @Option(name: .long, help: ArgumentHelp("The message of the will (default: empty).", valueName: "message"))
    var willPayload: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Its quality of service (default: 0).", valueName: "qos"),
        transform: OptionText.qos,
    )
    var willQos: QoS?

    @Flag(name: .long, help: "Retain the will's message.")
    var willRetain = false

    @Option(
        name: .long,
        help: ArgumentHelp("How long after the connection's end it is published (MQTT 5).", valueName: "seconds"),
    )
    var willDelay: UInt32?

    var will: Will? {
        willTopic.map {
            Will(
                topic: $0,
                payload: Array((willPayload ?? "").utf8),
                qos: willQos ?? .atMostOnce,
                retain: willRetain,
                willDelayInterval: willDelay ?? 0,
            )
        }
    }

    func check() throws {
        if let willTopic { return try OptionText.checkTopicName(willTopic, option: "--will-topic") }
        guard willPayload == nil, willQos == nil, !willRetain, willDelay == nil else {
            throw ValidationError("a will needs --will-topic")
        }
    }
}

/// How the broker proves who it is, and we.
struct TLSOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The authorities to trust (PEM), not the system's.", valueName: "file"))
    var caFile: String?

    @Option(name: .long, help: ArgumentHelp("Our certificate (PEM), with --key.", valueName: "file"))
    var cert: String?

    @Option(name: .long, help: ArgumentHelp("The key of --cert (PEM).", valueName: "file"))
    var key: String?

    @Flag(name: .long, help: "Do not verify the broker's certificate; for experiments only.")
    var insecure = false

    var isUsed: Bool { caFile != nil || cert != nil || key != nil || insecure }

    var configuration: TLSClientConfiguration {
        var identity: TLSIdentity?
        if let cert, let key { identity = TLSIdentity(certificateFile: cert, keyFile: key) }
        return TLSClientConfiguration(authorityFile: caFile, isInsecure: insecure, identity: identity)
    }

    func check(for endpoint: ClientEndpoint) throws {
        guard (cert == nil) == (key == nil) else { throw ValidationError("--cert and --key belong together") }
        guard !isUsed || endpoint.kind.isSecure else {
            throw ValidationError("\(endpoint) is a connection without TLS; use mqtts:// or wss://")
        }
    }
}
