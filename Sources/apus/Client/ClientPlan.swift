internal import ApusLoop
internal import ApusTransport
internal import FoundationEssentials
internal import MQTTClient
internal import MQTTCodec

/// Everything that the options say about connections.
struct ClientPlan {
    var endpoint: ClientEndpoint
    var tls: TLSClientConfiguration
    var client: ClientConfiguration
    var scram: ScramLogin?
    var timeout: Duration
    var reconnects: Bool
    /// Whether the session is only kept over losses, so that a proper end ends it too.
    var endsSession: Bool
    var voice: Voice

    /// - Parameter role: stands in a client identifier that is made up.
    init(_ options: ClientOptions, role: String) throws {
        endpoint = try options.endpoint()
        tls = options.tls.configuration
        timeout = options.timeout
        reconnects = options.reconnect
        voice = Voice(level: options.quiet ? .quiet : options.verbose ? .verbose : .usual)
        let password = try Self.password(options)
        var connect = Connect(
            version: options.mqttVersion,
            clientIdentifier: try options.clientID ?? "apus-\(role)-\(Self.randomText(6))",
            cleanStart: options.cleanStart,
            keepAliveSeconds: options.keepAlive,
            will: options.will.will,
            userName: options.scram ? nil : options.user,
            password: options.scram ? nil : password,
        )
        endsSession = options.reconnect && options.sessionExpiry == nil && options.mqttVersion == .v5
        connect.sessionExpiryInterval = options.sessionExpiry ?? (endsSession ? Self.lossSeconds : 0)
        if options.scram, let user = options.user {
            guard let password else { throw CommandFailure("--scram needs a password") }
            let login = ScramLogin(user: user, password: password, nonce: try Self.randomText(24))
            connect.authenticationMethod = ScramLogin.method
            connect.authenticationData = login.first
            scram = login
        }
        client = ClientConfiguration(connect: connect)
        client.connectTimeout = options.timeout
        client.pingTimeout = options.timeout
    }

    /// How long a broker keeps what a client with `--reconnect` has not finished.
    private static let lossSeconds: UInt32 = 3600

    private static func password(_ options: ClientOptions) throws -> [UInt8]? {
        try password(given: options.password, file: options.passwordFile, hasUser: options.user != nil)
    }

    /// The password from where a person may have put it: an option, a file, or for a user the environment.
    static func password(given password: String?, file: String?, hasUser: Bool) throws -> [UInt8]? {
        if let password { return Array(password.utf8) }
        if let file { return try passwordFile(file) }
        guard hasUser else { return nil }
        return ProcessInfo.processInfo.environment["APUS_PASSWORD"].map { Array($0.utf8) }
    }

    private static func passwordFile(_ path: String) throws -> [UInt8] {
        do {
            guard let bytes = try StandardStream.readAll(file: path, limit: 1 << 16) else {
                throw CommandFailure("\(path): too large for a password")
            }
            var line = bytes.prefix { $0 != UInt8(ascii: "\n") }
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            return Array(line)
        } catch let error as SystemError {
            throw CommandFailure(error.description)
        }
    }

    static func randomText(_ count: Int) throws -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
        return String(decoding: try Machine.randomBytes(count).map { alphabet[Int($0 & 31)] }, as: UTF8.self)
    }
}
