internal import ApusLoop
internal import ApusTransport
internal import MQTTCodec

/// Goes the way of a device's connection step by step, and stops at the first that fails.
struct ConnectExamination {
    struct Place {
        var host: String
        var port: UInt16?
        var usesTLS: Bool
        var usesWebSocket: Bool
        var path: String
    }

    let place: Place
    let tls: TLSClientConfiguration
    let login: LoginDiagnosis
    let version: ProtocolVersion
    let timeout: Duration
    private(set) var steps: [DoctorStep] = []
    /// 1 after a refusal of the broker, 3 when it could not be reached.
    private(set) var exitCode: Int32 = 0

    init(
        place: Place,
        tls: TLSClientConfiguration,
        login: LoginDiagnosis,
        version: ProtocolVersion,
        timeout: Duration,
    ) {
        self.place = place
        self.tls = tls
        self.login = login
        self.version = version
        self.timeout = timeout
    }

    var text: String { DoctorStep.text(steps) }
    var json: JSONValue { .array(steps.map(\.json)) }

    mutating func run(topic: String?, publishes: Bool) {
        guard resolve(), reach(), login(topic: topic) else { return }
        guard let topic else { return }
        if hasStoredSession {
            let detail = "the client has a stored session, whose subscriptions a try would change"
            steps.append(DoctorStep(name: "SUBSCRIBE", outcome: .skipped, detail: detail))
        } else {
            tryRight("SUBSCRIBE", topic) { try $0.subscribe(topic) }
        }
        if publishes { tryRight("PUBLISH", topic) { try $0.publishEmpty(topic) } }
    }

    private var hasStoredSession = false

    private mutating func ok(_ name: String, _ detail: String) {
        steps.append(DoctorStep(name: name, outcome: .ok, detail: detail))
    }

    private mutating func fail(_ name: String, _ detail: String, _ advice: [String], exitCode code: Int32) {
        steps.append(DoctorStep(name: name, outcome: .failed, detail: detail, advice: advice))
        exitCode = max(exitCode, code)
    }

    // MARK: - Reaching the broker

    private var port: UInt16 {
        place.port ?? (place.usesWebSocket ? (place.usesTLS ? 443 : 80) : (place.usesTLS ? 8883 : 1883))
    }

    private func endpoint(
        secure: Bool,
        webSocket: Bool,
    ) throws(ApusTransport.ClientError) -> ClientEndpoint {
        let scheme = webSocket ? (secure ? "wss" : "ws") : (secure ? "mqtts" : "mqtt")
        let host = place.host.contains(":") && !place.host.hasPrefix("[") ? "[\(place.host)]" : place.host
        return try ClientEndpoint("\(scheme)://\(host):\(port)\(webSocket ? place.path : "")")
    }

    private mutating func resolve() -> Bool {
        do {
            let addresses = try Socket.resolve(host: place.host, port: port)
            ok("DNS", "\(place.host) is \(addresses.map(\.host).joined(separator: ", "))")
            return true
        } catch {
            let advice = ["check the spelling of the host, and this machine's name server"]
            fail("DNS", error.description, advice, exitCode: 3)
            return false
        }
    }

    /// One connection for each layer, so that the layer that fails has its name.
    private mutating func reach() -> Bool {
        let closed = [
            "is the broker running, and does it listen on this address and port? Loopback only is its default",
            "a firewall or a container's port mapping may stand between",
        ]
        guard layer("TCP", secure: false, webSocket: false, closed) else { return false }
        if place.usesTLS {
            let advice = ["is \(port) the port for TLS, and does the broker support one of our versions of it?"]
            guard layer("TLS", secure: true, webSocket: false, advice) else { return false }
        }
        if place.usesWebSocket {
            let advice = ["the path is usually /mqtt (--path), and the port must be one for WebSocket"]
            guard layer("WebSocket", secure: place.usesTLS, webSocket: true, advice) else { return false }
        }
        return true
    }

    private mutating func layer(_ name: String, secure: Bool, webSocket: Bool, _ advice: [String]) -> Bool {
        do {
            let endpoint = try endpoint(secure: secure, webSocket: webSocket)
            try ClientConnection(endpoint, tls: tls, timeout: timeout).close(timeout: .zero)
            ok(name, name == "TCP" ? "port \(port) is open" : "the handshake is done")
            return true
        } catch {
            let isDoubted = error.description.contains("certificate")
            let certificate =
                "a certificate of one's own authority is trusted with --ca-file, and its names must include the host"
            let advice = isDoubted ? [certificate] : portHint.map { [$0] } ?? advice
            fail(name, error.description, advice, exitCode: 3)
            return false
        }
    }

    /// What the port speaks instead, when it does not speak what was asked for.
    private var portHint: String? {
        guard steps.contains(where: { $0.name == "TCP" && $0.outcome == .ok }) else { return nil }
        do {
            return PortProbe.hint(try endpoint(secure: place.usesTLS, webSocket: place.usesWebSocket), tls)
        } catch {
            return nil
        }
    }

    // MARK: - MQTT

    private func probe() throws -> BrokerProbe {
        var connect = Connect(
            version: version,
            clientIdentifier: login.clientID,
            cleanStart: false,
            keepAliveSeconds: 60,
            userName: login.userName,
            password: login.password.map { Array($0.utf8) },
        )
        // A session that is there outlives the examination.
        connect.sessionExpiryInterval = Self.keptSeconds
        return try BrokerProbe(
            try endpoint(secure: place.usesTLS, webSocket: place.usesWebSocket),
            tls: tls,
            connect: connect,
            timeout: timeout,
        )
    }

    private static let keptSeconds: UInt32 = 3 * 86_400

    private mutating func login(topic: String?) -> Bool {
        do {
            let probe = try probe()
            let answer = try probe.connect(cleanStart: false)
            guard answer == .accepted else {
                refusedLogin(answer)
                return false
            }
            hasStoredSession = probe.server.sessionPresent
            try leave(probe)
            ok("CONNECT", "accepted" + (hasStoredSession ? "; the client has a stored session" : ""))
            return true
        } catch {
            fail("CONNECT", "\(error)", [portHint].compactMap(\.self), exitCode: 3)
            return false
        }
    }

    /// A session that only the examination has made goes with it.
    private func leave(_ probe: BrokerProbe) throws {
        let isOurs = !hasStoredSession
        probe.leave(sessionExpiry: isOurs && version == .v5 ? 0 : nil)
        if isOurs, version != .v5 { try forget() }
    }

    /// Ends the session of a connection that the broker closed, or that is of a version in which leaving does not end it.
    private func forget() throws {
        let last = try probe()
        _ = try last.connect(cleanStart: true)
        last.leave(sessionExpiry: version == .v5 ? 0 : nil)
    }

    private mutating func refusedLogin(_ answer: BrokerProbe.Answer) {
        let advice: [String]
        switch answer {
        case .refused(let code, let sentence):
            advice = LoginAdvice(login: login, code: code, sentence: sentence).lines
        case .http: advice = [portHint ?? Self.httpAdvice]
        case .closed, .silence: advice = [portHint ?? Self.logAdvice]
        case .accepted, .nonsense: advice = [portHint].compactMap(\.self)
        }
        // What is no answer of a broker is no refusal either.
        let isReached = if case .refused = answer { true } else { answer == .closed }
        fail("CONNECT", Self.words(answer), advice, exitCode: isReached ? 1 : 3)
    }

    private mutating func tryRight(_ name: String, _ topic: String, _ ask: (BrokerProbe) throws -> BrokerProbe.Answer) {
        do {
            let probe = try probe()
            guard try probe.connect(cleanStart: false) == .accepted else {
                return fail(name, "the second connection was refused", [Self.logAdvice], exitCode: 1)
            }
            let answer = try ask(probe)
            try leave(probe)
            if answer == .accepted { return ok(name, "\(topic) is allowed") }
            if !hasStoredSession { try forget() }
            let advice = rightAdvice(answer)
            fail(name, "\(topic): \(Self.words(answer))", advice, exitCode: 1)
        } catch {
            fail(name, "\(topic): \(error)", [Self.logAdvice], exitCode: 1)
        }
    }

    /// What to do about a right that is missing; it follows from the broker's sentence.
    private func rightAdvice(_ answer: BrokerProbe.Answer) -> [String] {
        let option = login.instanceID.map { " -I \(CommandWord.text($0))" } ?? ""
        guard case .refused(let code, let sentence) = answer else { return [Self.logAdvice] }
        guard let sentence, !sentence.isEmpty else {
            let trace = "`apus client trace \(CommandWord.text(login.clientID))\(option)`"
            return ["a right or a parent topic is missing; the exact reason is in the broker's log and in \(trace)"]
        }
        if sentence.contains("parent topic"), sentence.contains("does not exist") {
            return ["`apus topic create` makes a parent topic, `apus topic list\(option)` names those that there are"]
        }
        if sentence.contains("token") {
            return ["`apus token issue TOPIC\(option)` makes one, with --actions R to subscribe, W to publish"]
        }
        if sentence.contains("no permission of") || sentence.contains("a permission of") {
            return ["`apus permission list\(option)` shows the permissions, `apus permission set` changes them"]
        }
        return code == .quotaExceeded ? ["`apus instance show` shows the limits of an instance"] : []
    }

    private static let logAdvice = "the broker's log may say why"

    private static let httpAdvice =
        "this is the port of an HTTP server, the management API perhaps; MQTT has other ports, by default 1883, with TLS 8883"

    private static func words(_ answer: BrokerProbe.Answer) -> String {
        switch answer {
        case .accepted: "accepted"
        case .refused(let code, let sentence): "refused: \(code.description(sentence))"
        case .http(let status): "the port answers by HTTP, with status \(status), and not by MQTT"
        case .nonsense(let words): "the answer is not MQTT: \(words)"
        case .closed: "the broker closed the connection without a word"
        case .silence: "no answer in time"
        }
    }
}
