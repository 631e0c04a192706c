internal import ApusConfiguration
internal import ApusCredentials
internal import ApusHTTP
internal import ApusLoop
internal import ApusMessage
internal import ApusResources

// The logins that the configuration describes, instance by instance: JSON Web Tokens, HTTP services, certificates.

extension ConfiguredModes {
    /// Reads the keys and authorities that the configuration names.
    init(_ configuration: Configuration) throws(CommandFailure) {
        self.init()
        let authentication = configuration.authentication
        do {
            for login in authentication.jwt { jwt[login.instance ?? ""] = try JWTVerifier(login) }
            for login in authentication.http { hooks[login.instance] = try AuthenticationHook(login) }
        } catch {
            throw CommandFailure("\(error)")
        }
        certificateInstances = Set(authentication.certificateInstanceIDs)
    }
}

extension Configuration.Authentication {
    var certificateInstanceIDs: [String] { (certificateInstances ?? "").split(separator: " ").map(String.init) }
}

extension Configuration {
    /// Instance ids by the names of listeners that belong to one.
    var instancesByListener: [String: String] {
        var instances: [String: String] = [:]
        for listener in listeners { instances[listener.name] = listener.instance }
        return instances
    }

    /// The files of JSON Web Tokens' keys and of HTTP services' authorities.
    var loginFiles: [String] {
        authentication.jwt.flatMap { $0.keys.map(\.path) } + authentication.http.compactMap(\.caFile)
    }

    /// Takes back the logins, for a reload that could not use the new ones.
    mutating func keepLogins(of old: Configuration) {
        authentication.jwt = old.authentication.jwt
        authentication.http = old.authentication.http
        authentication.certificateInstances = old.authentication.certificateInstances
    }

    static let loginKeys = ["authentication.jwt", "authentication.http", "authentication.certificateInstances"]
}

extension JWTVerifier {
    init(_ login: JWTLogin) throws(CredentialError) {
        var keys: [(id: String?, key: Key)] = []
        for key in login.keys {
            let read: Key =
                switch key.kind {
                case .secretFile: try .secret(file: key.path)
                case .publicKeyFile: try .publicKey(file: key.path)
                }
            keys.append((key.id, read))
        }
        self.init(
            keys: keys,
            issuer: login.issuer,
            audience: login.audience,
            leewaySeconds: Int64(login.leewaySeconds),
        )
    }
}

extension AuthenticationHook {
    init(_ login: HTTPLogin) throws(TLSError) {
        self.init(
            url: login.url.description,
            timeoutMilliseconds: login.timeoutMilliseconds,
            calls: login.calls,
            waitingCalls: login.waitingCalls,
            client: try HTTPLoginClient(login),
        )
    }
}

/// An HTTP service's client, as the authenticator wants it.
private struct HTTPLoginClient: AuthenticationHookClient {
    private let client: HTTPClient
    private let target: String

    init(_ login: HTTPLogin) throws(TLSError) {
        let url = login.url
        var tls: TLSContext?
        if url.isSecure {
            tls = try TLSContext(
                client: TLSClientConfiguration(authorityFile: login.caFile, applicationProtocols: ["http/1.1"])
            )
        }
        client = HTTPClient(HTTPServerAddress(host: url.host, port: url.port, tls: tls))
        target = url.target
    }

    func post(
        _ json: [UInt8],
        timeoutMilliseconds: Int,
        maximumBytes: Int,
        reply: @escaping @Sendable (AuthenticationHookAnswer) -> Void,
    ) {
        client.post(json, to: target, timeoutMilliseconds: timeoutMilliseconds, maximumBytes: maximumBytes) { outcome in
            switch outcome {
            case .answered(let status, let contentType, let body):
                reply(.answered(status: status, contentType: contentType, body: body))
            case .failed(let sentence):
                reply(.failed(sentence))
            }
        }
    }
}

extension Tenancy {
    /// Makes the logins of another configuration effective, or leaves all as they are.
    ///
    /// - Returns: whether they are effective.
    func reloadLogins(_ configuration: Configuration, _ report: inout ReloadReport) -> Bool {
        do {
            authenticator.replaceModes(try ConfiguredModes(configuration))
        } catch {
            report.problems.append("logins of instances unchanged: \(error.description)")
            report.changed.removeAll(where: Configuration.loginKeys.contains)
            return false
        }
        report.reread += configuration.loginFiles
        report.problems += loginWarnings(configuration)
        return true
    }

    /// What the configuration says of instances that the catalog does not know, or knows otherwise.
    ///
    /// No reason not to start: instances come and go by the API.
    func loginWarnings(_ configuration: Configuration) -> [String] {
        let authentication = configuration.authentication
        var warnings: [String] = []
        func check(_ id: String, _ key: String, _ effect: String) {
            guard manager.directory.instance(id: id) == nil else { return }
            warnings.append("\(key) names instance `\(id)`, which does not exist; until it is created \(effect)")
        }
        for (index, listener) in configuration.listeners.enumerated() {
            guard let id = listener.instance else { continue }
            let effect = "clients of \(listener.name) that name no other are refused"
            check(id, "listeners[\(index)].instance", effect)
        }
        for (index, login) in authentication.jwt.enumerated() {
            guard let id = login.instance else { continue }
            let key = "authentication.jwt[\(index)].instance"
            check(id, key, "this has no effect")
            guard let instance = manager.directory.instance(id: id), instance.profile != .standard else { continue }
            warnings.append(
                "\(key) names instance `\(id)` of profile `\(instance.profile.rawValue)`; only instances of profile "
                    + "`standard` take JWTs",
            )
        }
        for (index, login) in authentication.http.enumerated() {
            check(login.instance, "authentication.http[\(index)].instance", "this has no effect")
        }
        for id in authentication.certificateInstanceIDs {
            check(id, "authentication.certificateInstances", "this has no effect")
        }
        // By mqtts clients are asked as soon as authorities are registered, by wss where it is configured.
        let asksForCertificates = configuration.listeners.contains { listener in
            guard let tls = configuration.effectiveTLS(of: listener) else { return false }
            return !listener.address.scheme.isWebSocket || tls.clientCertificate != .none
        }
        if !asksForCertificates, !authentication.certificateInstanceIDs.isEmpty {
            warnings.append(
                "authentication.certificateInstances is set, but no listener asks for client certificates: all clients of "
                    + "these instances are refused; add an mqtts listener",
            )
        }
        return warnings
    }
}
