package import ApusBroker
package import ApusMessage
package import ApusResources

/// Finds the instance of a CONNECT in the directory (design, section 1).
///
/// In this order, and the first that names an instance decides, also when it names a wrong one:
/// 1. the third part of the user name, `Signature|<key>|<instance id>`;
/// 2. the TLS server name or the WebSocket Host, `<instance id>.<domain>`, in any case, a port being left out;
/// 3. one that an instance has set by SetSniConfig, outside the domains;
/// 4. the listener's own instance;
/// 5. the first running instance, by number.
package struct ServiceInstanceResolver: InstanceResolver {
    private let table: InstanceTable
    private let domains: [String]
    private let listenerInstances: [String: String]
    private let counts: LoginCounts

    /// - Parameters:
    ///   - domains: What follows `<instance id>.` in host names, such as `localhost` and `mqtt.example.com`.
    ///   - listenerInstances: Instance ids by the names of listeners that have an instance of their own.
    ///   - counts: Where a CONNECT that comes no further is counted.
    package init(
        directory: ResourceDirectory,
        domains: [String] = ["localhost"],
        listenerInstances: [String: String] = [:],
        counts: LoginCounts = LoginCounts(),
    ) {
        table = InstanceTable(directory)
        self.domains = domains.map { $0.lowercased() }
        self.listenerInstances = listenerInstances
        self.counts = counts
    }

    package func resolve(userName: String?, peer: Peer) -> InstanceChoice {
        switch source(userName, peer) {
        case .userName(let id):
            return choice(table.entry(id: id), otherwise: "the user name names instance \(quoted(id))")
        case .host(let host, let label):
            return choice(
                table.entry(lowercaseID: label),
                otherwise: "host \(quoted(host)) names instance \(quoted(label))"
            )
        case .serverName(let host, let entry):
            return choice(
                entry,
                otherwise: "host \(quoted(host)) is a name of instance \(quoted(entry.instance.id))"
            )
        case .listener(let name, let id):
            return choice(
                table.entry(id: id),
                otherwise: "listener \(quoted(name)) belongs to instance \(quoted(id))",
            )
        case .first:
            guard let first = table.firstRunning else {
                counts.count(.none, .unknownInstance)
                return .refused(
                    explanation:
                        "neither user name nor host nor listener names an instance, and no instance is running; "
                        + "create or start one",
                )
            }
            return .instance(first.settings)
        }
    }

    package func reason(userName: String?, peer: Peer) -> String? {
        switch source(userName, peer) {
        case .userName: nil
        case .host(let host, _), .serverName(let host, _): "host \(quoted(host)) names it"
        case .listener(let name, _): "listener \(quoted(name)) belongs to it"
        case .first:
            "the first that runs, as neither user name nor host nor listener names one; another is reached by a listener "
                + "with `instance: ID`\(hostForm)"
        }
    }

    private var hostForm: String { domains.first.map { " or the host ID.\($0) of TLS or WebSocket" } ?? "" }

    /// What names the instance of a CONNECT.
    private enum Source {
        case userName(id: String)
        case host(String, label: String)
        case serverName(String, InstanceTable.Entry)
        case listener(String, id: String)
        case first
    }

    private func source(_ userName: String?, _ peer: Peer) -> Source {
        if let userName, case .service(_, _, let id) = ServiceUserName(userName) { return .userName(id: id) }
        if let host = peer.serverName {
            let name = Self.name(of: host)
            if let label = instanceLabel(of: name) { return .host(host, label: label) }
            // A domain itself stands for no instance: nobody may take it for the own one.
            if !domains.contains(name), let entry = table.entry(serverName: name) { return .serverName(host, entry) }
        }
        return listenerInstances[peer.listener].map { .listener(peer.listener, id: $0) } ?? .first
    }

    package func settings(of instance: InstanceNumber) -> InstanceSettings? { table.entry(instance)?.settings }

    private func choice(_ entry: InstanceTable.Entry?, otherwise source: String) -> InstanceChoice {
        guard let entry else {
            counts.count(.none, .unknownInstance)
            return .refused(explanation: "\(source), which does not exist")
        }
        guard entry.isRunning else {
            counts.count(.none, .instanceUnavailable)
            return .refused(explanation: "\(source), which is stopped; start it or use another", by: entry.settings)
        }
        return .instance(entry.settings)
    }

    /// A host name in lower case, without a port and without the root's dot.
    private static func name(of host: String) -> String {
        var name = host.lowercased()
        // `[::1]:80` has no name before its port, and no domain either.
        if let colon = name.lastIndex(of: ":") { name = String(name[..<colon]) }
        if name.hasSuffix(".") { name.removeLast() }
        return name
    }

    /// The part of a name before one of the domains; `nil` when it is not of this form.
    private func instanceLabel(of name: String) -> String? {
        for domain in domains where name.hasSuffix("." + domain) {
            let label = String(name.dropLast(domain.count + 1))
            return label.isEmpty ? nil : label
        }
        return nil
    }
}
