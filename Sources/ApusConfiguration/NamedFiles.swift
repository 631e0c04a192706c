/// A file that a configuration names, and what is expected of it.
package struct NamedFile: Sendable, Equatable {
    package enum Content: Sendable, Equatable {
        case users
        case rights
        /// A chain of certificates with the private key in another file, which stands under another key.
        case certificate(key: String, keyPath: String)
        /// A certificate or key whose counterpart is missing.
        case halfOfPair
        case authorities
        /// What JSON Web Tokens are signed with, by HS256.
        case tokenSecret
        /// A PEM file with which signatures of JSON Web Tokens are checked.
        case tokenKey
        /// A unix socket, made by the broker.
        case socket
    }

    /// Dotted, with places of lists: `listeners[1].tls.clientCA`.
    package var key: String
    package var path: String
    package var content: Content
}

extension Configuration {
    /// Every file that the configuration names, whether or not a listener needs it.
    package var namedFiles: [NamedFile] {
        var files: [NamedFile] = []
        if let path = authentication.passwordFile {
            files.append(NamedFile(key: "authentication.passwordFile", path: path, content: .users))
        }
        if let path = authorization.aclFile {
            files.append(NamedFile(key: "authorization.aclFile", path: path, content: .rights))
        }
        for (index, login) in authentication.jwt.enumerated() {
            for (number, key) in login.keys.enumerated() {
                let name = "\(ConfigurationReader.jwtKey)[\(index)].keys[\(number)].\(key.kind.rawValue)"
                let content: NamedFile.Content = key.kind == .secretFile ? .tokenSecret : .tokenKey
                files.append(NamedFile(key: name, path: key.path, content: content))
            }
        }
        for (index, login) in authentication.http.enumerated() {
            guard let path = login.caFile else { continue }
            let name = "\(ConfigurationReader.httpKey)[\(index)].caFile"
            files.append(NamedFile(key: name, path: path, content: .authorities))
        }
        var apiPair = TLS()
        (apiPair.certificate, apiPair.key) = (api.certificate, api.key)
        files += apiPair.namedFiles(under: "api")
        files += tls.namedFiles(under: "tls")
        for (index, listener) in listeners.enumerated() {
            let key = "\(ConfigurationReader.listenersKey)[\(index)]"
            if listener.address.scheme == .unix {
                files.append(NamedFile(key: key, path: listener.address.path, content: .socket))
            }
            files += listener.tls?.namedFiles(under: "\(key).tls") ?? []
        }
        return files
    }
}

extension TLS {
    fileprivate func namedFiles(under prefix: String) -> [NamedFile] {
        var files: [NamedFile] = []
        func add(_ certificate: String?, _ key: String?, under prefix: String) {
            if let certificate {
                let content: NamedFile.Content =
                    key.map { .certificate(key: "\(prefix).key", keyPath: $0) } ?? .halfOfPair
                files.append(NamedFile(key: "\(prefix).certificate", path: certificate, content: content))
            } else if let key {
                files.append(NamedFile(key: "\(prefix).key", path: key, content: .halfOfPair))
            }
        }
        add(certificate, key, under: prefix)
        for (index, host) in hosts.enumerated() {
            add(host.certificate, host.key, under: "\(prefix).hosts[\(index)]")
        }
        if let clientCA {
            files.append(NamedFile(key: "\(prefix).clientCA", path: clientCA, content: .authorities))
        }
        return files
    }
}
