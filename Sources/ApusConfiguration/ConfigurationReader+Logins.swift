internal import Yams

// MARK: - The lists of `authentication`

extension ConfigurationReader {
    static let jwtKey = "authentication.jwt"
    static let httpKey = "authentication.http"
    /// Lists of mappings; in variables and options they are written as one line of YAML.
    static let loginLists = [jwtKey, httpKey]

    mutating func read(loginList key: String, text: String, _ source: Source) {
        let place = YAMLText.value(source)
        guard let node = compose(text, key: key, file: place) else {
            if key == Self.jwtKey { configuration.authentication.jwt = [] }
            if key == Self.httpKey { configuration.authentication.http = [] }
            return
        }
        read(loginList: key, node, source, file: place)
    }

    mutating func read(loginList key: String, _ value: Node, _ source: Source, file: YAMLText) {
        // Places of a list that this one replaces.
        origins = origins.filter { !$0.key.hasPrefix("\(key)[") }
        origins[key] = source
        var items: [(key: String, fields: Node.Mapping, place: Source)] = []
        if !Self.isNull(value) {
            guard let sequence = value.sequence else {
                return report(source, key, "needs a list, not a \(Self.kind(of: value))")
            }
            for (index, item) in sequence.enumerated() {
                let (key, place) = ("\(key)[\(index)]", file.source(item.mark))
                origins[key] = place
                guard let mapping = item.mapping else {
                    report(place, key, "needs keys and values, not a \(Self.kind(of: item))")
                    continue
                }
                items.append((key, mapping, place))
            }
        }
        if key == Self.jwtKey {
            configuration.authentication.jwt = items.compactMap { jwt($0.fields, key: $0.key, $0.place, file: file) }
        } else {
            configuration.authentication.http = items.compactMap { http($0.fields, key: $0.key, $0.place, file: file) }
        }
    }

    private mutating func jwt(_ mapping: Node.Mapping, key: String, _ place: Source, file: YAMLText) -> JWTLogin? {
        let names = ["instance", "keys", "issuer", "audience", "leewaySeconds"]
        let fields = fields(of: mapping, names: names, key: key, file: file)
        var login = JWTLogin()
        login.instance = line(fields["instance"], "\(key).instance", file)
        login.issuer = line(fields["issuer"], "\(key).issuer", file)
        login.audience = line(fields["audience"], "\(key).audience", file)
        parse(fields["leewaySeconds"], "\(key).leewaySeconds", file) { text throws(InvalidValue) in
            login.leewaySeconds = try number(text, 0...3600)
        }
        guard let list = fields["keys"], !Self.isNull(list) else {
            report(place, key, "`keys` is missing: a list of mappings with `secretFile` or `publicKeyFile`")
            return nil
        }
        guard let sequence = list.sequence, sequence.first != nil else {
            report(file.source(list.mark), "\(key).keys", "needs a list of keys, not a \(Self.kind(of: list))")
            return nil
        }
        for (index, item) in sequence.enumerated() {
            if let key = self.key(item, key: "\(key).keys[\(index)]", file: file) { login.keys.append(key) }
        }
        return login
    }

    private mutating func key(_ item: Node, key: String, file: YAMLText) -> JWTLogin.Key? {
        let place = file.source(item.mark)
        let kinds = JWTLogin.Key.Kind.allCases
        let choice = kinds.map { "`\($0.rawValue)`" }.joined(separator: " or ")
        guard let mapping = item.mapping else {
            report(place, key, "needs \(choice), not a \(Self.kind(of: item))")
            return nil
        }
        let fields = fields(of: mapping, names: ["id"] + kinds.map(\.rawValue), key: key, file: file)
        let id = line(fields["id"], "\(key).id", file)
        var found: [JWTLogin.Key] = []
        for kind in kinds {
            guard let path = path(fields[kind.rawValue], "\(key).\(kind.rawValue)", file) else { continue }
            found.append(JWTLogin.Key(id: id, kind: kind, path: path))
        }
        guard found.count == 1 else {
            report(place, key, found.isEmpty ? "needs \(choice)" : "needs \(choice), not both")
            return nil
        }
        return found[0]
    }

    private mutating func http(_ mapping: Node.Mapping, key: String, _ place: Source, file: YAMLText) -> HTTPLogin? {
        let names = ["instance", "url", "timeoutMilliseconds", "calls", "waitingCalls", "caFile"]
        let fields = fields(of: mapping, names: names, key: key, file: file)
        var url: HTTPURL?
        parse(fields["url"], "\(key).url", file) { text throws(InvalidValue) in url = try HTTPURL(text) }
        let instance = line(fields["instance"], "\(key).instance", file)
        for (name, isThere) in [("instance", instance != nil), ("url", fields["url"] != nil)] where !isThere {
            report(place, key, "`\(name)` is missing")
        }
        guard let instance, let url else { return nil }
        var login = HTTPLogin(instance: instance, url: url)
        parse(fields["timeoutMilliseconds"], "\(key).timeoutMilliseconds", file) { text throws(InvalidValue) in
            login.timeoutMilliseconds = try number(text, 1...60_000)
        }
        parse(fields["calls"], "\(key).calls", file) { text throws(InvalidValue) in
            login.calls = try number(text, 1...10_000)
        }
        parse(fields["waitingCalls"], "\(key).waitingCalls", file) { text throws(InvalidValue) in
            login.waitingCalls = try number(text, 0...1_000_000)
        }
        login.caFile = path(fields["caFile"], "\(key).caFile", file)
        if login.caFile != nil, !url.isSecure {
            report(place, "\(key).caFile", "is for https; \(url) is a connection without TLS")
        }
        return login
    }

    private mutating func line(_ node: Node?, _ key: String, _ file: YAMLText) -> String? {
        var line: String?
        parse(node, key, file) { text throws(InvalidValue) in line = try lineText(text) }
        if let node { origins[key] = file.source(node.mark) }
        return line
    }
}

/// A whole number of a range.
private func number(_ text: String, _ range: ClosedRange<Int>) throws(InvalidValue) -> Int {
    guard let value = wholeNumber(text), range.contains(value) else {
        throw InvalidValue("`\(text)` is not a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
}
