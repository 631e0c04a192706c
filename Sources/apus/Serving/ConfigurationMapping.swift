internal import ApusBroker
internal import ApusConfiguration
internal import ApusCredentials
internal import ApusLoop
internal import ApusMessage
internal import ApusTransport

// From the configuration file's words to those of the parts.

extension EventLevel {
    init(_ level: Configuration.Logging.Level) {
        switch level {
        case .debug: self = .debug
        case .info: self = .info
        case .notice: self = .notice
        case .warning: self = .warning
        case .error: self = .error
        }
    }
}

extension LogFormat {
    init(_ format: Configuration.Logging.Format) {
        switch format {
        case .text: self = .text
        case .json: self = .json
        case .auto: self = StandardError.isTerminal ? .text : .json
        }
    }
}

extension Limits {
    init(_ limits: Configuration.Limits) {
        self.init()
        connections = limits.connections
        sessions = limits.sessions
        packetBytes = limits.packetBytes
        connectPacketBytes = limits.connectPacketBytes
        topicLevels = limits.topicLevels
        topicBytes = limits.topicBytes
        subscriptionsPerClient = limits.subscriptionsPerClient
        receiveMaximum = UInt16(clamping: limits.receiveMaximum)
        inFlightMessages = UInt16(clamping: limits.inFlightMessages)
        queuedMessagesPerSession = limits.queuedMessagesPerSession
        queuedBytesPerSession = limits.queuedBytesPerSession
        outputBytesPerConnection = limits.outputBytesPerConnection
        sessionExpirySeconds = UInt32(clamping: limits.sessionExpirySeconds)
        topicAliases = UInt16(clamping: limits.topicAliases)
        keepAliveSeconds = UInt16(clamping: limits.keepAliveSeconds)
        retainedMessages = limits.retainedMessages
        retainedBytes = limits.retainedBytes
        connectSeconds = limits.connectSeconds
        shardBacklogBytes = limits.shardBacklogBytes
    }
}

extension PasswordAuthenticator.Options {
    init(_ configuration: Configuration) {
        self.init()
        passwordFile = configuration.authentication.passwordFile
        anonymous = configuration.authentication.anonymous == .loopback ? .loopback : .never
        listenersWithoutAnonymous = configuration.listenersWithoutAnonymous
        scram = configuration.authentication.scram
        userNameFromCertificate = configuration.authentication.userNameFromCertificate
        failures = FailurePolicy(freeFailures: configuration.authentication.failuresPerAddress)
    }
}

extension ListenerConfiguration {
    init(_ listener: ApusConfiguration.Listener, _ tls: ApusConfiguration.TLS?) {
        let address = listener.address
        let kind: Kind =
            switch (address.scheme.isWebSocket, address.scheme.isTLS) {
            case (false, false): .tcp
            case (false, true): .tls
            case (true, false): .webSocket
            case (true, true): .secureWebSocket
            }
        let place: Address =
            address.scheme == .unix ? .unix(path: address.path) : .internet(host: address.host, port: address.port)
        self.init(name: listener.name, kind: kind, address: place)
        proxyProtocol =
            switch listener.proxyProtocol {
            case .off: .off
            case .v1: .v1
            case .v2: .v2
            case .any: .any
            }
        maximumConnections = listener.maximumConnections ?? .max
        self.tls = kind.isSecure ? tls.flatMap(TLSServerConfiguration.init) : nil
    }
}

extension Configuration {
    /// The names of listeners that refuse anonymous clients.
    var listenersWithoutAnonymous: Set<String> { Set(listeners.filter { !$0.allowAnonymous }.map(\.name)) }

    /// The TLS settings of the listeners that have some, by name.
    ///
    /// Listeners that share a name (they leave the choice of the port to the kernel) and not their settings are left
    /// out: who is meant cannot be told.
    var tlsByListener: [String: TLSServerConfiguration] {
        let pairs = listeners.compactMap { listener in
            effectiveTLS(of: listener).flatMap(TLSServerConfiguration.init).map { (listener.name, $0) }
        }
        return Dictionary(grouping: pairs, by: \.0).compactMapValues { group in
            group.allSatisfy { $0.1 == group[0].1 } ? group[0].1 : nil
        }
    }
}

extension TLSServerConfiguration {
    /// `nil` without a certificate; the configuration has refused that before.
    init?(_ tls: ApusConfiguration.TLS) {
        guard let certificate = tls.certificate, let key = tls.key else { return nil }
        let main = TLSIdentity(certificateFile: certificate, keyFile: key)
        let hosts = tls.hosts.map {
            TLSIdentity(certificateFile: $0.certificate, keyFile: $0.key, hostNames: [$0.name])
        }
        let mode: TLSClientCertificates =
            switch tls.clientCertificate {
            case .none: .none
            case .optional: .optional
            case .required: .required
            }
        self.init(identities: [main] + hosts, clientCertificates: mode, clientAuthorityFile: tls.clientCA)
    }
}
