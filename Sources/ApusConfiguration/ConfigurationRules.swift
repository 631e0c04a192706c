/// What single values cannot say: how they fit together.
extension Configuration {
    /// - Parameter found: What is wrong with single values. Sections that hold such are not looked at: what stands in the
    ///   place of a wrong value would only bring follow-up errors.
    func problems(for purpose: Purpose, beside found: [ConfigurationProblem] = []) -> [ConfigurationProblem] {
        let doubtful = Set(found.map { String($0.key.prefix { $0 != "." && $0 != "[" }) })
        // Of a key that nobody knows, whatever could have been meant.
        guard doubtful.isSubset(of: Self.sections) else { return [] }
        typealias Rule = (sections: Set<String>, problems: [ConfigurationProblem])
        let always: [Rule] = [
            (["listeners"], listenerProblems()), (["listeners", "api"], clashProblems()), (["data"], logProblems()),
            (["limits"], limitProblems()), (["listeners", "api", "authentication"], loginProblems()),
        ]
        let more: [Rule] =
            switch purpose {
            case .service:
                [
                    (["listeners", "api", "tls"], certificateProblems(mayBeMade: false)),
                    (["api", "tls"], apiProblems()), (["listeners", "tls", "authentication"], userNameProblems()),
                ]
            case .development:
                [
                    (["listeners", "api", "tls"], certificateProblems(mayBeMade: true)),
                    (["listeners", "api"], developmentProblems()),
                ]
            }
        return (always + more).filter { $0.sections.isDisjoint(with: doubtful) }.flatMap(\.problems)
    }

    private static let sections = Set(ConfigurationReader.keys.map { String($0.prefix { $0 != "." }) })

    /// What works, and that an operator should know all the same.
    package var warnings: [ConfigurationProblem] {
        guard let url = api.listen, !isAPISecure, let endpoint = try? HTTPEndpoint(url),
            !ListenerAddress(scheme: .mqtt, host: endpoint.host, port: endpoint.port).isLoopback
        else { return [] }
        let reason =
            "`\(url)` can be reached from other machines without TLS, and keys and messages go over the network as they are; "
            + "take https, or an address of this machine alone behind a proxy with TLS"
        return [Self.problem("api.listen", reason)]
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
        }
        return problems
    }

    /// - Parameter mayBeMade: whether the executable makes what is missing; half of a pair it cannot.
    private func certificateProblems(mayBeMade: Bool) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        for (index, listener) in listeners.enumerated() {
            let key = "\(ConfigurationReader.listenersKey)[\(index)]"
            guard let tls = effectiveTLS(of: listener) else { continue }
            let isWholeMissing = tls.certificate == nil && tls.key == nil
            if tls.certificate == nil || tls.key == nil, !(mayBeMade && isWholeMissing) {
                problems.append(
                    Self.problem(
                        key,
                        "`\(listener.name)` needs `certificate` and `key`, in its own `tls` or in the section `tls`",
                    )
                )
            }
            // With the management API there may be registered authorities.
            if tls.clientCertificate != .none, tls.clientCA == nil, api.listen == nil {
                problems.append(
                    Self.problem(key, "`\(listener.name)` asks for client certificates: `clientCA` is missing")
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
