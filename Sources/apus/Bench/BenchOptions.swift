internal import ApusBench
internal import ApusLoop
internal import ApusTransport
internal import ArgumentParser
internal import MQTTCodec

extension Workload: ExpressibleByArgument {}
extension BenchPlan.OfflinePhase: ExpressibleByArgument {}

/// Where the broker is and how each client of a run reaches it.
struct BenchEndpointOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "mqtt://HOST:PORT, mqtts://, ws://HOST:PORT/PATH, wss:// or unix:PATH (default: mqtt://127.0.0.1:1883).",
            valueName: "url"
        ),
    )
    var url: String?

    @Option(name: .long, help: "The broker's host, instead of --url.")
    var host: String?

    @Option(name: .shortAndLong, help: "The broker's port, instead of --url.")
    var port: UInt16?

    @OptionGroup var tls: TLSOptions

    @Option(
        name: [.customShort("V"), .long],
        help: ArgumentHelp("3.1, 3.1.1 or 5 (default: 5).", valueName: "version"),
        transform: OptionText.version,
    )
    var mqttVersion = ProtocolVersion.v5

    @Option(name: [.customShort("k"), .long], help: ArgumentHelp("0 switches it off.", valueName: "seconds"))
    var keepAlive: UInt16 = 600

    func endpoint() throws -> ClientEndpoint {
        guard url == nil || host == nil && port == nil else {
            throw ValidationError("--url holds host and port; leave --host and --port out")
        }
        let host = host ?? "127.0.0.1"
        let bracketed = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        let port = port.map { ":\($0)" } ?? ""
        do {
            let endpoint = try ClientEndpoint(url ?? "\(tls.isUsed ? "mqtts" : "mqtt")://\(bracketed)\(port)")
            try tls.check(for: endpoint)
            return endpoint
        } catch let error as ApusTransport.ClientError {
            throw ValidationError("\(error)")
        }
    }

    /// Looks the name up and reads the certificates.
    func target(_ login: BenchLogin) throws -> BenchTarget {
        let endpoint = try endpoint()
        switch endpoint.address {
        case .unix(let path): return BenchTarget(address: .unix(path: path), login: login)
        case .internet(let host, let port):
            let address = try BenchTarget.reachable(of: try Socket.resolve(host: host, port: port))
            var target = BenchTarget(address: address, login: login)
            target.hostName = host
            if endpoint.kind.isSecure { target.tls = try TLSContext(client: tls.configuration) }
            if endpoint.kind.isWebSocket {
                target.webSocket = BenchTarget.WebSocketPlace(host: endpoint.hostField, path: endpoint.path)
            }
            return target
        }
    }
}

/// As whom the clients of a run log in.
struct BenchLoginOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The client ids: {n} is a number, {role} p or s, {run} a text that no other run has.",
            valueName: "template"
        ),
    )
    var clientID = BenchNames.defaultClientID

    @Option(name: .shortAndLong, help: "Their user name, with the same placeholders.")
    var user: String?

    @Option(
        name: [.customShort("P"), .long],
        help: "Their password. Others on this machine can see it; better: --password-file or APUS_PASSWORD.",
    )
    var password: String?

    @Option(name: .long, help: ArgumentHelp("A file whose first line is the password.", valueName: "file"))
    var passwordFile: String?

    @Option(
        name: .long,
        help: "The message service's login: signature, token, device or custom; see `apus credential password`.",
    )
    var mode: DeviceLogin.Mode?

    @Option(name: [.customShort("I"), .long], help: "The instance's id, with --mode.")
    var instance: String?

    @Option(name: .long, help: "The access key's id, with --mode; its secret is APUS_ACCESS_KEY_SECRET, or asked for.")
    var accessKeyID: String?

    @Flag(name: .long, help: "With --mode custom: the identity's sign mode is SIGNED; the user name is --user.")
    var signed = false

    @Option(
        name: .long,
        help: ArgumentHelp("R=TEXT, W=TEXT or RW=TEXT, with --mode token.", valueName: "type=text"),
    )
    var token: [String] = []

    func check() throws {
        guard password == nil || passwordFile == nil else {
            throw ValidationError("--password and --password-file contradict each other")
        }
        guard let mode else {
            guard instance == nil, accessKeyID == nil, token.isEmpty, !signed else {
                throw ValidationError("--instance, --access-key-id, --token and --signed need --mode")
            }
            return
        }
        guard password == nil, passwordFile == nil else {
            throw ValidationError("--mode computes the password from the secret; leave --password out")
        }
        if mode == .custom {
            guard user != nil else { throw ValidationError("--mode custom needs --user") }
        } else {
            guard user == nil else { throw ValidationError("--mode \(mode.rawValue) makes the user name itself") }
            guard instance != nil, accessKeyID != nil else {
                throw ValidationError("--mode \(mode.rawValue) needs --instance and --access-key-id")
            }
        }
        guard (mode == .token) == !token.isEmpty else {
            throw ValidationError("--token and --mode token belong together")
        }
        _ = try DeviceLogin.tokens(token)
    }

    /// Asks for a secret where one is needed.
    func login() throws -> BenchLogin {
        guard let mode else {
            let password = try ClientPlan.password(given: password, file: passwordFile, hasUser: user != nil)
            return BenchLogin(userName: user) { _ in password }
        }
        let login = DeviceLogin(
            mode: mode,
            clientID: "",
            instance: instance ?? "",
            name: (mode == .custom ? user : accessKeyID) ?? "",
            isSigned: signed,
        )
        if mode == .token {
            let password = Array(try DeviceLogin.tokens(token).utf8)
            return BenchLogin(userName: login.userName) { _ in password }
        }
        let secret = try CredentialPasswordCommand.secret()
        return BenchLogin(userName: login.userName) { clientID in
            var own = login
            own.clientID = clientID
            return Array(own.password(secret: secret).utf8)
        }
    }
}

/// The shape of a run.
struct BenchLoadOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Quality of service: 0, 1 or 2 (default: 0; offline: 1).", valueName: "qos"),
        transform: OptionText.qos,
    )
    var qos: QoS?

    @Option(
        name: .long,
        help: ArgumentHelp("What subscribers ask for (default: --qos).", valueName: "qos"),
        transform: OptionText.qos,
    )
    var subscribeQos: QoS?

    @Option(name: .shortAndLong, help: "Bytes of a payload, 16 or more (default: 64); subscribe: at most (1 MiB).")
    var size: Int?

    @Option(name: .long, help: ArgumentHelp("publish: the payload of each message.", valueName: "file"))
    var payloadFile: String?

    @Option(name: .long, help: "How many publishers.")
    var publishers: Int?

    @Option(name: .long, help: "How many subscribers; with idle and storm, connections.")
    var subscribers: Int?

    @Option(
        name: [.customShort("C"), .long],
        help: "Messages of each publisher; retained: in all; offline: for each topic.",
    )
    var count: Int?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Publish for so long (default: 5, unless --count is given); idle: look at idle connections for so long.",
            valueName: "seconds"
        ),
        transform: OptionText.seconds,
    )
    var seconds: Duration?

    @Option(name: .shortAndLong, help: "Messages of one publisher that may wait for answers or deliveries.")
    var window = 32

    @Option(
        name: .shortAndLong,
        help: """
            Messages of all publishers in a second, at fixed moments whatever the broker does; storm: connections. \
            Without it, each message waits for room in the window.
            """,
    )
    var rate: Double?

    @Option(name: .long, help: "Filters of each subscriber: wildcard (100), storm (0).")
    var filters: Int?

    @Option(name: .long, help: ArgumentHelp("fan-in: one shared subscription of this name.", valueName: "name"))
    var share: String?

    @Option(name: .long, help: ArgumentHelp("offline: sessions that wait for one topic's messages.", valueName: "n"))
    var sessionsPerTopic = 1

    @Option(
        name: .long,
        help: ArgumentHelp(
            "offline: store or drain alone, the one after the other; needs --state.",
            valueName: "phase"
        ),
    )
    var phase: BenchPlan.OfflinePhase?

    @Option(
        name: .long,
        help: ArgumentHelp("What the store phase leaves to the drain phase.", valueName: "file"),
    )
    var state: String?

    @Option(name: .long, help: "storm: how often all connect.")
    var rounds = 1

    @Flag(name: .long, help: "storm: the sessions outlive their connections.")
    var persistent = false

    @Option(name: .long, help: "Connections being made at a time.")
    var concurrency = 64

    @Option(
        name: .long,
        help: ArgumentHelp("Connections begun in a second, at fixed moments, instead of --concurrency.", valueName: "n"),
    )
    var connectRate: Double?

    @Option(name: .long, help: "Threads of the generator.")
    var threads = 1

    @Option(
        name: [.customShort("t"), .long],
        help: ArgumentHelp(
            """
            The topics: {n} stands for what the workload puts there, {run} for a text that no other run has \
            (default: bench/{run}/{n}; publish and subscribe: bench/{n}).
            """,
            valueName: "template"
        ),
    )
    var topic: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Tell how it goes on, so often; JSON has it as `samples`.", valueName: "seconds"),
        transform: OptionText.seconds,
    )
    var interval: Duration?

    @Option(
        name: .long,
        help: ArgumentHelp("How long nothing may happen before the run is given up.", valueName: "seconds"),
        transform: OptionText.seconds,
    )
    var timeout = Duration.seconds(10)

    @Flag(name: .long, help: "Leave sessions and retained messages on the broker.")
    var keep = false

    func plan(_ workload: Workload, _ endpoint: BenchEndpointOptions) throws -> BenchPlan {
        var plan = BenchPlan(workload: workload)
        plan.version = endpoint.mqttVersion
        plan.keepAliveSeconds = endpoint.keepAlive
        plan.qos = qos ?? plan.qos
        plan.subscribeQoS = subscribeQos
        plan.payloadBytes = size ?? plan.payloadBytes
        if let payloadFile {
            plan.payload = try Self.payload(payloadFile)
            plan.payloadBytes = plan.payload?.count ?? 0
        }
        plan.sampleInterval = interval
        if let publishers { plan.publishers = publishers }
        if let subscribers { plan.subscribers = subscribers }
        if workload.isPaired { (plan.publishers, plan.subscribers) = try pairs(plan.publishers) }
        plan.messages = count ?? plan.messages
        if workload == .idle {
            plan.idleTime = seconds ?? plan.idleTime
        } else {
            plan.duration = seconds ?? (count == nil ? plan.duration : nil)
        }
        plan.window = window
        plan.rate = workload == .storm ? nil : rate
        plan.connectRate = workload == .storm ? rate ?? connectRate : connectRate
        if let filters { plan.filters = filters }
        plan.shareName = share
        plan.sessionsPerTopic = sessionsPerTopic
        plan.phase = phase ?? .both
        plan.rounds = rounds
        plan.isPersistent = persistent
        plan.concurrency = concurrency
        plan.threads = threads
        plan.patience = timeout
        plan.keepsTraces = keep
        try refuseUnused(workload)
        if let complaint = plan.complaint { throw ValidationError(complaint) }
        return plan
    }

    /// Either number names the pairs.
    private func pairs(_ usual: Int) throws -> (Int, Int) {
        let count = publishers ?? subscribers ?? usual
        guard subscribers ?? count == count else {
            throw ValidationError("each publisher has its own subscriber: --publishers and --subscribers are the same")
        }
        return (count, count)
    }

    /// Options that would have no effect are mistakes.
    private func refuseUnused(_ workload: Workload) throws {
        func refuse(_ option: String, _ isUsed: Bool, _ allowed: [Workload]) throws {
            guard !isUsed || allowed.contains(workload) else {
                let names = allowed.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("\(option) is for \(names)")
            }
        }
        let traffic = Workload.allCases.filter(\.isTraffic)
        try refuse("--filters", filters != nil, [.wildcard, .storm])
        try refuse("--share", share != nil, [.fanIn, .subscribe])
        try refuse("--payload-file", payloadFile != nil, [.publish])
        try refuse("--sessions-per-topic", sessionsPerTopic != 1, [.offline])
        try refuse("--rounds", rounds != 1, [.storm])
        try refuse("--rate", rate != nil, traffic + [.storm, .publish])
        try refuse("--count", count != nil, traffic + [.retained, .offline, .publish, .subscribe])
        try refuse("--seconds", seconds != nil, traffic + [.idle, .publish, .subscribe])
        try refuse("--publishers", publishers != nil, Workload.allCases.filter(\.hasPublishers))
        try refuse("--subscribers", subscribers != nil, Workload.allCases.filter(\.hasSubscribers))
        guard payloadFile == nil || size == nil else {
            throw ValidationError("--payload-file is the payload, and --size would be another")
        }
        guard rate == nil || connectRate == nil || workload != .storm else {
            throw ValidationError("with storm --rate and --connect-rate are the same")
        }
        try refuse("--keep", keep, [.retained, .offline, .storm])
        try refuse("--phase", phase != nil, [.offline])
        try refuse("--persistent", persistent, [.storm])
        guard (phase == .store || phase == .drain) == (state != nil) else {
            throw ValidationError("--phase store and --phase drain go with --state, the same file for both")
        }
        guard !keep || workload != .storm || persistent else { throw ValidationError("--keep needs --persistent") }
        let subscribing = Workload.allCases.filter {
            $0 != .p2p && $0.hasSubscribers && $0.hasPublishers || $0 == .storm
        }
        try refuse("--subscribe-qos", subscribeQos != nil, subscribing)
    }

    private static func payload(_ file: String) throws -> [UInt8] {
        do {
            guard let bytes = try StandardStream.readAll(file: file, limit: BenchPlan.largestPayload) else {
                throw ValidationError("\(file) is larger than the \(BenchPlan.largestPayload) bytes of a payload")
            }
            return bytes
        } catch let error as SystemError {
            throw ValidationError(error.description)
        }
    }
}
