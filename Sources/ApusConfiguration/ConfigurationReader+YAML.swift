internal import Yams

// MARK: - File

extension ConfigurationReader {
    mutating func read(yaml: String, file: String) {
        let file = YAMLText.file(file)
        guard let root = compose(yaml, key: "", file: file) else { return }
        guard let mapping = root.mapping else {
            report(file.source(root.mark), "", "the file must hold keys and values")
            return
        }
        read(section: mapping, prefix: "", file: file)
    }

    /// What the text says; `nil` for nothing, and when it is not YAML, which is reported.
    mutating func compose(_ yaml: String, key: String, file: YAMLText) -> Node? {
        do {
            let root = try Yams.compose(yaml: yaml)
            return root.flatMap { Self.isNull($0) ? nil : $0 }
        } catch let error as YamlError {
            report(error, key: key, file: file)
        } catch {
            report(file.source(nil), key, "is not YAML: \(error)")
        }
        return nil
    }

    private mutating func read(section: Node.Mapping, prefix: String, file: YAMLText) {
        for (keyNode, value) in section {
            let source = file.source(keyNode.mark)
            guard let name = keyNode.scalar?.string else {
                report(source, prefix, "a key must be a plain name")
                continue
            }
            let key = prefix + name
            if name.contains(".") {
                reportUnknown(key, prefix: prefix, name: name, source)
            } else if let setting = Self.settings[key] {
                read(setting, value, source)
            } else if key == Self.listenersKey {
                readListeners(value, source, file: file)
            } else if key == Self.tlsHostsKey {
                configuration.tls.hosts = hosts(in: value, key: key, source, file: file)
            } else if Self.loginLists.contains(key) {
                read(loginList: key, value, source, file: file)
            } else if Self.keys.contains(where: { $0.hasPrefix(key + ".") }) {
                if let mapping = value.mapping {
                    read(section: mapping, prefix: key + ".", file: file)
                } else if !Self.isNull(value) {
                    report(source, key, "is a section: its keys stand below it, indented")
                }
            } else {
                reportUnknown(key, prefix: prefix, name: name, source)
            }
        }
    }

    private mutating func read(_ setting: Setting, _ value: Node, _ source: Source) {
        guard let scalar = value.scalar else {
            return report(source, setting.key, "needs \(setting.values), not a \(Self.kind(of: value))")
        }
        read(setting, Self.isNull(value) ? "" : scalar.string, source)
    }

    private mutating func reportUnknown(_ key: String, prefix: String, name: String, _ source: Source) {
        if Self.keys.contains(key) {
            return report(source, key, "in a file the part before the dot is a section of its own")
        }
        let siblings = Self.keys.filter { $0.hasPrefix(prefix) }
            .compactMap { $0.dropFirst(prefix.count).split(separator: ".").first.map(String.init) }
        let similar = nearestName(to: name, among: siblings).map { prefix + $0 }
        report(source, key, "unknown key", suggestion: similar ?? Self.nearestKey(to: key))
    }

    // MARK: - Listeners

    private mutating func readListeners(_ value: Node, _ source: Source, file: YAMLText) {
        guard let sequence = value.sequence else {
            return report(source, Self.listenersKey, "needs a list of listeners, not a \(Self.kind(of: value))")
        }
        origins[Self.listenersKey] = source
        var listeners: [Listener] = []
        for (index, item) in sequence.enumerated() {
            let key = "\(Self.listenersKey)[\(index)]"
            let place = file.source(item.mark)
            origins[key] = place
            if let mapping = item.mapping {
                if let listener = listener(mapping, key: key, place, file: file) { listeners.append(listener) }
            } else if let scalar = item.scalar, !Self.isNull(item) {
                if let listener = listener(scalar.string, key: key, place) { listeners.append(listener) }
            } else {
                report(place, key, "needs a URL or a mapping with `url`, not a \(Self.kind(of: item))")
            }
        }
        configuration.listeners = listeners
    }

    private mutating func listener(
        _ mapping: Node.Mapping,
        key: String,
        _ source: Source,
        file: YAMLText,
    ) -> Listener? {
        let names = ["url", "proxyProtocol", "maximumConnections", "tls", "allowAnonymous", "instance"]
        let fields = fields(of: mapping, names: names, key: key, file: file)
        guard let url = fields["url"] else {
            report(source, key, "`url` is missing")
            return nil
        }
        guard let text = text(url, key: "\(key).url", file: file),
            var listener = listener(text, key: "\(key).url", file.source(url.mark))
        else { return nil }
        parse(fields["proxyProtocol"], "\(key).proxyProtocol", file) { text throws(InvalidValue) in
            listener.proxyProtocol = try member(text)
        }
        parse(fields["maximumConnections"], "\(key).maximumConnections", file) { text throws(InvalidValue) in
            guard let count = wholeNumber(text), (1...10_000_000).contains(count) else {
                throw InvalidValue("`\(text)` is not a number from 1 to 10000000")
            }
            listener.maximumConnections = count
        }
        parse(fields["allowAnonymous"], "\(key).allowAnonymous", file) { text throws(InvalidValue) in
            listener.allowAnonymous = try boolean(text)
        }
        parse(fields["instance"], "\(key).instance", file) { text throws(InvalidValue) in
            listener.instance = try lineText(text)
        }
        if let tls = fields["tls"], !Self.isNull(tls) {
            listener.tls = self.tls(tls, key: "\(key).tls", file: file)
            if !listener.address.scheme.isTLS {
                report(
                    file.source(tls.mark),
                    "\(key).tls",
                    "\(listener.address.scheme.rawValue) has no TLS",
                    suggestion: listener.address.scheme.isWebSocket ? "wss" : "mqtts",
                )
            }
        }
        return listener
    }

    private mutating func tls(_ value: Node, key: String, file: YAMLText) -> TLS? {
        guard let mapping = value.mapping else {
            report(file.source(value.mark), key, "needs keys and values, not a \(Self.kind(of: value))")
            return nil
        }
        let names = ["certificate", "key", "clientCA", "clientCertificate", "hosts"]
        let fields = fields(of: mapping, names: names, key: key, file: file)
        var tls = TLS()
        tls.certificate = path(fields["certificate"], "\(key).certificate", file)
        tls.key = path(fields["key"], "\(key).key", file)
        tls.clientCA = path(fields["clientCA"], "\(key).clientCA", file)
        parse(fields["clientCertificate"], "\(key).clientCertificate", file) { text throws(InvalidValue) in
            tls.clientCertificate = try member(text)
        }
        if let hosts = fields["hosts"] {
            let source = file.source(hosts.mark)
            tls.hosts = self.hosts(in: hosts, key: "\(key).hosts", source, file: file)
        }
        return tls
    }

    private mutating func hosts(in value: Node, key: String, _ source: Source, file: YAMLText) -> [TLS.Host] {
        if Self.isNull(value) { return [] }
        guard let sequence = value.sequence else {
            report(source, key, "needs a list of hosts, not a \(Self.kind(of: value))")
            return []
        }
        var hosts: [TLS.Host] = []
        for (index, item) in sequence.enumerated() {
            let key = "\(key)[\(index)]"
            let place = file.source(item.mark)
            guard let mapping = item.mapping else {
                report(place, key, "needs name, certificate and key, not a \(Self.kind(of: item))")
                continue
            }
            let fields = fields(of: mapping, names: ["name", "certificate", "key"], key: key, file: file)
            if let name = path(fields["name"], "\(key).name", file),
                let certificate = path(fields["certificate"], "\(key).certificate", file),
                let privateKey = path(fields["key"], "\(key).key", file)
            {
                hosts.append(TLS.Host(name: name, certificate: certificate, key: privateKey))
            } else {
                report(place, key, "needs name, certificate and key")
            }
        }
        return hosts
    }

    // MARK: - Nodes

    /// The values by name; names that are not in the list are reported.
    mutating func fields(
        of mapping: Node.Mapping,
        names: [String],
        key: String,
        file: YAMLText,
    ) -> [String: Node] {
        var fields: [String: Node] = [:]
        for (nameNode, value) in mapping {
            let name = nameNode.scalar?.string ?? ""
            if names.contains(name) {
                fields[name] = value
            } else {
                report(
                    file.source(nameNode.mark),
                    "\(key).\(name)",
                    "unknown key",
                    suggestion: nearestName(to: name, among: names),
                )
            }
        }
        return fields
    }

    mutating func text(_ node: Node, key: String, file: YAMLText) -> String? {
        if let scalar = node.scalar { return Self.isNull(node) ? "" : scalar.string }
        report(file.source(node.mark), key, "needs text, not a \(Self.kind(of: node))")
        return nil
    }

    mutating func parse(
        _ node: Node?,
        _ key: String,
        _ file: YAMLText,
        _ parse: (String) throws(InvalidValue) -> Void,
    ) {
        guard let node, !Self.isNull(node), let text = text(node, key: key, file: file) else { return }
        do throws(InvalidValue) {
            try parse(text)
        } catch {
            report(file.source(node.mark), key, error.reason, suggestion: error.suggestion)
        }
    }

    mutating func path(_ node: Node?, _ key: String, _ file: YAMLText) -> String? {
        var path: String?
        parse(node, key, file) { text throws(InvalidValue) in path = try pathText(text) }
        if let node { origins[key] = file.source(node.mark) }
        return path
    }

    static func isNull(_ node: Node) -> Bool {
        guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    static func kind(of node: Node) -> String {
        if node.mapping != nil { return "mapping" }
        if node.sequence != nil { return "list" }
        return isNull(node) ? "missing value" : "single value"
    }

    private mutating func report(_ error: YamlError, key: String, file: YAMLText) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            report(file.source(mark), key, "is not YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.joined(separator: ", ")
            report(file.source(context.mark), key.isEmpty ? names : "\(key).\(names)", "stands here twice")
        case .reader(let problem, _, _, _):
            report(file.source(nil), key, "is not YAML: \(problem)")
        default:
            report(file.source(nil), key, "is not YAML")
        }
    }
}
