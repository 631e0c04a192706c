/// What single values cannot say: how they fit together.
extension Configuration {
    func problems(for purpose: Purpose) -> [ConfigurationProblem] {
        var problems = listenerProblems() + logProblems() + limitProblems() + loginProblems()
        switch purpose {
        case .service: problems += certificateProblems(mayBeMade: false) + apiProblems() + userNameProblems()
        case .development: problems += certificateProblems(mayBeMade: true) + developmentProblems()
        }
        return problems
    }

    /// The rule of `apus serve --dev`: everybody may do everything there, so nobody else may reach it.
    package func validatedForDevelopment() throws(ConfigurationError) -> Configuration {
        let problems = developmentProblems()
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        return self
    }

    private func developmentProblems() -> [ConfigurationProblem] {
        let reachable = listeners.filter { !$0.address.isLoopback }.map {
            Self.problem("listeners", "`\($0.name)` can be reached from outside; the development mode cannot")
        }
        guard api.listen != nil else { return reachable }
        return reachable + [
            Self.problem("api.listen", "the development mode has no accounts and no API; leave out --dev or the API")
        ]
    }

    private func listenerProblems() -> [ConfigurationProblem] {
        guard !listeners.isEmpty else { return [Self.problem("listeners", "the list is empty: nobody could connect")] }
        var problems: [ConfigurationProblem] = []
        var seen: Set<String> = []
        var instances: [String: String] = [:]
        for listener in listeners {
            // Connections know their listener by its name.
            if let other = instances.updateValue(listener.instance ?? "", forKey: listener.name),
                other != listener.instance ?? ""
            {
                let reason =
                    "`\(listener.name)` stands there twice, with different instances; give them different ports"
                problems.append(Self.problem("listeners", reason))
            }
            let address = listener.address
            // Port 0 becomes another port each time.
            if address.scheme != .unix, address.port == 0 { continue }
            let place = address.scheme == .unix ? address.path : "\(address.host.lowercased()):\(address.port)"
            if !seen.insert(place).inserted {
                problems.append(Self.problem("listeners", "`\(listener.name)`: another listener is there already"))
            }
        }
        return problems
    }

    /// - Parameter mayBeMade: whether the executable makes what is missing; half of a pair it cannot.
    private func certificateProblems(mayBeMade: Bool) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        for listener in listeners {
            guard let tls = effectiveTLS(of: listener) else { continue }
            let isWholeMissing = tls.certificate == nil && tls.key == nil
            if tls.certificate == nil || tls.key == nil, !(mayBeMade && isWholeMissing) {
                problems.append(
                    Self.problem(
                        "listeners",
                        "`\(listener.name)` needs `certificate` and `key`, in its own `tls` or in the section `tls`",
                    )
                )
            }
            // With the management API there may be registered authorities.
            if tls.clientCertificate != .none, tls.clientCA == nil, api.listen == nil {
                problems.append(
                    Self.problem("listeners", "`\(listener.name)` asks for client certificates: `clientCA` is missing")
                )
            }
        }
        return problems
    }

    /// What only the message service has.
    private func loginProblems() -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        let (jwt, http) = (ConfigurationReader.jwtKey, ConfigurationReader.httpKey)
        if api.listen == nil {
            let named = [
                (jwt, !authentication.jwt.isEmpty), (http, !authentication.http.isEmpty),
                ("authentication.certificateInstances", authentication.certificateInstances != nil),
                (ConfigurationReader.listenersKey, listeners.contains { $0.instance != nil }),
            ]
            problems += named.filter(\.1).map {
                Self.problem($0.0, "instances need the management API: set api.listen, or leave this out")
            }
        }
        for (key, ids) in [(jwt, authentication.jwt.map(\.instance)), (http, authentication.http.map(\.instance))] {
            var seen: Set<String?> = []
            for id in ids where !seen.insert(id).inserted {
                let name = id.map { "instance `\($0)`" } ?? "the instances without an entry of their own"
                problems.append(Self.problem(key, "two entries are for \(name)"))
            }
        }
        return problems
    }

    private func apiProblems() -> [ConfigurationProblem] {
        guard isAPISecure, apiCertificate == nil else { return [] }
        let reason = "https needs `api.certificate` and `api.key`, or `tls.certificate` and `tls.key`"
        return [Self.problem("api.listen", reason)]
    }

    private func userNameProblems() -> [ConfigurationProblem] {
        let asksForCertificates = listeners.contains {
            effectiveTLS(of: $0).map { $0.clientCertificate != .none } ?? false
        }
        guard authentication.userNameFromCertificate, !asksForCertificates else { return [] }
        return [Self.problem("authentication.userNameFromCertificate", "no listener asks for client certificates")]
    }

    /// How many segments a bounded message log must be able to hold: one in use, two in reserve, and some that hold what
    /// lives until space is given back.
    private static let fewestSegments = 8

    private func logProblems() -> [ConfigurationProblem] {
        guard data.durability != .memory, data.maximumBytes > 0 else { return [] }
        let least = Self.fewestSegments * data.segmentBytes
        guard data.maximumBytes < least else { return [] }
        return [
            Self.problem(
                "data.maximumBytes",
                "\(byteText(data.maximumBytes)) is less than \(Self.fewestSegments) files of data.segmentBytes "
                    + "(\(byteText(data.segmentBytes))), too little for the log to be kept; "
                    + "set at least \(byteText(least)), or smaller segments",
            )
        ]
    }

    private func limitProblems() -> [ConfigurationProblem] {
        let largest = limits.packetBytes
        let mustHoldOne = [
            ("limits.queuedBytesPerSession", limits.queuedBytesPerSession),
            ("limits.outputBytesPerConnection", limits.outputBytesPerConnection),
        ]
        var problems = mustHoldOne.filter { $0.1 < largest }.map {
            Self.problem(
                $0.0,
                "\(byteText($0.1)) does not hold one packet of limits.packetBytes (\(byteText(largest)))"
            )
        }
        if limits.connectPacketBytes > largest {
            problems.append(Self.problem("limits.connectPacketBytes", "is more than limits.packetBytes"))
        }
        return problems
    }

    private static func problem(_ key: String, _ reason: String) -> ConfigurationProblem {
        ConfigurationProblem(source: .combination, key: key, reason: reason)
    }
}
