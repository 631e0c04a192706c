extension Configuration {
    /// What differs in another configuration, for the report of a reload.
    ///
    /// - Returns: The dotted keys that count at once, and those that count after the next start.
    package func changes(to new: Configuration) -> (live: [String], needRestart: [String]) {
        let changed = Setting.all.filter { $0.text(self) != $0.text(new) }
        var live = changed.filter { $0.effect == .live }.map(\.key)
        var needRestart = changed.filter { $0.effect == .restart }.map(\.key)
        if tls.hosts != new.tls.hosts { live.append(ConfigurationReader.tlsHostsKey) }
        if authentication.jwt != new.authentication.jwt { live.append(ConfigurationReader.jwtKey) }
        if authentication.http != new.authentication.http { live.append(ConfigurationReader.httpKey) }
        guard listeners.map(\.withoutTLS) == new.listeners.map(\.withoutTLS) else {
            needRestart.append(ConfigurationReader.listenersKey)
            return (live, needRestart)
        }
        for (old, new) in zip(listeners, new.listeners) where old.tls != new.tls {
            live.append("\(ConfigurationReader.listenersKey)[\(old.name)].tls")
        }
        return (live, needRestart)
    }

    /// Whether a key that `changes(to:)` names is about certificates.
    package static func isTLSKey(_ key: String) -> Bool { key.hasPrefix("tls.") || key.hasSuffix(".tls") }

    /// Takes back the TLS settings, for a reload that could not use the new ones.
    package mutating func keepTLS(of old: Configuration) {
        tls = old.tls
        guard listeners.map(\.withoutTLS) == old.listeners.map(\.withoutTLS) else { return }
        for index in listeners.indices { listeners[index].tls = old.listeners[index].tls }
    }
}

extension Listener {
    fileprivate var withoutTLS: Listener {
        var copy = self
        copy.tls = nil
        return copy
    }
}

// MARK: - Description

extension Configuration: CustomStringConvertible, CustomDebugStringConvertible {
    /// One `key = value` a line, for a log or `apus config check`; where private keys lie is not told.
    package var redactedDescription: String {
        var lines = Setting.all.map { setting in
            let text = setting.text(self).map { ["tls.key", "api.key"].contains(setting.key) ? "(set)" : $0 }
            return "\(setting.key) = \(text ?? "(not set)")"
        }
        for listener in listeners {
            var line = "\(ConfigurationReader.listenersKey) += \(listener.name)"
            if listener.proxyProtocol != .off { line += " proxyProtocol=\(listener.proxyProtocol.rawValue)" }
            if let count = listener.maximumConnections { line += " maximumConnections=\(count)" }
            if !listener.allowAnonymous { line += " allowAnonymous=false" }
            if let instance = listener.instance { line += " instance=\(instance)" }
            if let tls = listener.tls {
                line += " tls.certificate=\(tls.certificate ?? "(not set)")"
                line += " tls.key=\(tls.key == nil ? "(not set)" : "(set)")"
                line += " tls.clientCertificate=\(tls.clientCertificate.rawValue)"
            }
            lines.append(line)
        }
        lines += tls.hosts.map { "\(ConfigurationReader.tlsHostsKey) += \($0.name)" }
        lines += authentication.jwt.map { login in
            var line = "\(ConfigurationReader.jwtKey) += instance=\(login.instance ?? "(all others)")"
            if let issuer = login.issuer { line += " issuer=\(issuer)" }
            if let audience = login.audience { line += " audience=\(audience)" }
            line += " leewaySeconds=\(login.leewaySeconds)"
            let keys = login.keys.map { key in "\(key.id ?? "(any)"):\(key.kind.rawValue)" }
            return line + " keys=\(keys.joined(separator: ","))"
        }
        lines += authentication.http.map { login in
            var line = "\(ConfigurationReader.httpKey) += instance=\(login.instance) url=\(login.url)"
            line += " timeoutMilliseconds=\(login.timeoutMilliseconds)"
            line += " calls=\(login.calls) waitingCalls=\(login.waitingCalls)"
            return line + (login.caFile.map { " caFile=\($0)" } ?? "")
        }
        return lines.joined(separator: "\n")
    }

    package var description: String { redactedDescription }

    package var debugDescription: String { redactedDescription }
}
