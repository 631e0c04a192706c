import Testing

@testable import ApusConfiguration

@Suite("Logins of instances in a configuration")
struct LoginTests {
    private static let full = """
        api: {listen: http://127.0.0.1:18083}
        authentication:
            certificateInstances: a b
            jwt:
                - keys: [{secretFile: /secret}]
                - instance: a
                  issuer: https://login.example.org
                  audience: mqtt
                  leewaySeconds: 30
                  keys:
                      - id: k1
                        publicKeyFile: /key.pem
                      - publicKeyFile: /other.pem
            http:
                - instance: a
                  url: https://login.example.org/mqtt?v=1
                  timeoutMilliseconds: 500
                  calls: 8
                  waitingCalls: 0
                  caFile: /ca.pem
                - {instance: b, url: "http://[::1]:8080"}
        listeners:
            - url: mqtt://127.0.0.1
              instance: a
            - mqtt://127.0.0.1:1884
        """

    private static let api = [("api.listen", "http://127.0.0.1:0")]

    @Test func `everything is read`() throws {
        let authentication = try load(Self.full).authentication
        #expect(authentication.certificateInstances == "a b")
        let keys = [
            JWTLogin.Key(id: "k1", kind: .publicKeyFile, path: "/key.pem"),
            JWTLogin.Key(kind: .publicKeyFile, path: "/other.pem"),
        ]
        #expect(
            authentication.jwt == [
                JWTLogin(keys: [JWTLogin.Key(kind: .secretFile, path: "/secret")]),
                JWTLogin(
                    instance: "a",
                    keys: keys,
                    issuer: "https://login.example.org",
                    audience: "mqtt",
                    leewaySeconds: 30,
                ),
            ]
        )
        let first = try #require(authentication.http.first)
        #expect(first.url.isSecure)
        #expect((first.url.host, first.url.port, first.url.target) == ("login.example.org", 443, "/mqtt?v=1"))
        #expect((first.timeoutMilliseconds, first.caFile) == (500, "/ca.pem"))
        #expect((first.calls, first.waitingCalls) == (8, 0))
        let second = authentication.http[1]
        #expect((second.url.host, second.url.port, second.url.target) == ("::1", 8080, "/"))
        #expect((second.timeoutMilliseconds, second.calls, second.waitingCalls) == (3000, 64, 1024))
        #expect(try load(Self.full).listeners.map(\.instance) == ["a", nil])
    }

    @Test func `a variable and an option hold the list as one line of YAML, and replace the file's`() throws {
        let line = "[{instance: x, keys: [{secretFile: /x}]}]"
        let expected = [JWTLogin(instance: "x", keys: [JWTLogin.Key(kind: .secretFile, path: "/x")])]
        #expect(try load(Self.full, environment: ["APUS_AUTHENTICATION_JWT": line]).authentication.jwt == expected)
        #expect(try load(Self.full, overrides: [("authentication.jwt", line)]).authentication.jwt == expected)
        #expect(try load(Self.full, environment: ["APUS_AUTHENTICATION_HTTP": ""]).authentication.http.isEmpty)
    }

    @Test(arguments: [
        ("jwt: 5", "authentication.jwt: needs a list, not a single value"),
        ("jwt: [5]", "authentication.jwt[0]: needs keys and values, not a single value"),
        ("jwt: [{instance: a}]", "authentication.jwt[0]: `keys` is missing"),
        ("jwt: [{keys: []}]", "authentication.jwt[0].keys: needs a list of keys"),
        ("jwt: [{keys: [x]}]", "authentication.jwt[0].keys[0]: needs `secretFile` or `publicKeyFile`"),
        ("jwt: [{keys: [{id: x}]}]", "authentication.jwt[0].keys[0]: needs `secretFile` or `publicKeyFile`"),
        (
            "jwt: [{keys: [{secretFile: /a, publicKeyFile: /b}]}]",
            "authentication.jwt[0].keys[0]: needs `secretFile` or `publicKeyFile`, not both"
        ),
        (
            "jwt: [{keys: [{secrtFile: /a}]}]",
            "authentication.jwt[0].keys[0].secrtFile: unknown key; did you mean `secretFile`?"
        ),
        (
            "jwt: [{isuer: x, keys: [{secretFile: /a}]}]",
            "authentication.jwt[0].isuer: unknown key; did you mean `issuer`?"
        ),
        (
            "jwt: [{leewaySeconds: 3601, keys: [{secretFile: /a}]}]",
            "authentication.jwt[0].leewaySeconds: `3601` is not a number from 0 to 3600"
        ),
        ("http: [{url: 'http://a'}]", "authentication.http[0]: `instance` is missing"),
        ("http: [{instance: a}]", "authentication.http[0]: `url` is missing"),
        (
            "http: [{instance: a, url: 'ftp://u:pw@a'}]",
            "authentication.http[0].url: a URL of a service begins with http:// or https://"
        ),
        (
            "http: [{instance: a, url: 'http://u:pw@a'}]",
            "authentication.http[0].url: a URL has no user name or password here"
        ),
        ("http: [{instance: a, url: 'http://a:0/'}]", "authentication.http[0].url: the port must be a number from 1"),
        ("http: [{instance: a, url: 'http://a/b c'}]", "authentication.http[0].url: a path has neither blanks nor"),
        (
            "http: [{instance: a, url: 'http://a', timeoutMilliseconds: 0}]",
            "authentication.http[0].timeoutMilliseconds: `0` is not a number from 1 to 60000"
        ),
        ("http: [{instance: a, url: 'http://a', caFile: /x}]", "authentication.http[0].caFile: is for https"),
        ("htp: []", "authentication.htp: unknown key; did you mean `authentication.http`?"),
    ])
    func `a mistake is reported with its place and what was meant`(yaml: String, problem: String) throws {
        let first = try #require(problems("authentication:\n    \(yaml)\n", overrides: Self.api).first)
        #expect(first.hasPrefix("apus.yaml:2: \(problem)"), "\(first)")
    }

    @Test(arguments: ["[{keys: 5}]", "[", "{a: 1, a: 1}"])
    func `a mistake in a variable is one of the variable`(text: String) throws {
        let found = problems("", environment: ["APUS_AUTHENTICATION_JWT": text], overrides: Self.api)
        #expect(found.count == 1)
        #expect(found[0].hasPrefix("environment APUS_AUTHENTICATION_JWT: authentication.jwt"), "\(found)")
    }

    @Test func `a misspelt variable is recognised`() {
        let found = problems("", environment: ["APUS_AUTHENTICATION_JTW": "[]"])
        #expect(
            found == ["environment APUS_AUTHENTICATION_JTW: unknown variable; did you mean `APUS_AUTHENTICATION_JWT`?"]
        )
    }

    @Test(arguments: [
        ("authentication: {jwt: [{keys: [{secretFile: /a}]}]}", "authentication.jwt"),
        ("authentication: {http: [{instance: a, url: 'http://a'}]}", "authentication.http"),
        ("authentication: {certificateInstances: a}", "authentication.certificateInstances"),
        ("listeners: [{url: 'mqtt://127.0.0.1', instance: a}]", "listeners"),
    ])
    func `what is about instances needs the management API`(yaml: String, key: String) throws {
        #expect(
            problems(yaml) == [
                "apus.yaml:1: \(key): instances need the management API: set api.listen, or leave this out"
            ]
        )
        #expect(problems(yaml, overrides: Self.api).isEmpty)
    }

    @Test(arguments: [
        "authentication: {http: [{instance: a, url: 'http://a'}, {instance: a, url: 'http://b'}]}",
        "authentication: {jwt: [{instance: a, keys: [{secretFile: /a}]}, {instance: a, keys: [{secretFile: /b}]}]}",
        "authentication: {jwt: [{keys: [{secretFile: /a}]}, {keys: [{secretFile: /b}]}]}",
        "listeners: [{url: 'mqtt://127.0.0.1:0', instance: a}, {url: 'mqtt://127.0.0.1:0'}]",
    ])
    func `nothing is said twice`(yaml: String) {
        #expect(problems(yaml, overrides: Self.api).count == 1)
    }

    @Test func `what changed is said, and that it counts at once`() throws {
        let old = try load(Self.full)
        var new = old
        new.authentication.jwt = []
        new.authentication.http[0].timeoutMilliseconds += 1
        new.authentication.certificateInstances = nil
        new.authentication.userNameFromCertificate = true
        new.api.certificate = "/c"
        let changes = old.changes(to: new)
        #expect(
            Set(changes.live) == [
                "authentication.jwt", "authentication.http", "authentication.certificateInstances", "api.certificate",
            ]
        )
        #expect(changes.needRestart == ["authentication.userNameFromCertificate"])
        var moved = old
        moved.listeners[0].instance = "b"
        #expect(old.changes(to: moved).needRestart == ["listeners"])
    }

    @Test func `the files are named, with their place`() throws {
        let examination = Configuration.Examination(
            yaml: (name: "apus.yaml", text: Self.full),
            environment: [:],
            overrides: [],
            purpose: .service,
        )
        let files = examination.configuration.namedFiles
        #expect(
            files == [
                NamedFile(key: "authentication.jwt[0].keys[0].secretFile", path: "/secret", content: .tokenSecret),
                NamedFile(key: "authentication.jwt[1].keys[0].publicKeyFile", path: "/key.pem", content: .tokenKey),
                NamedFile(key: "authentication.jwt[1].keys[1].publicKeyFile", path: "/other.pem", content: .tokenKey),
                NamedFile(key: "authentication.http[0].caFile", path: "/ca.pem", content: .authorities),
            ]
        )
        let lines = [5, 12, 13, 20]
        for (file, line) in zip(files, lines) {
            #expect(examination.origin(of: file.key) == .file("apus.yaml", line: line), "\(file.key)")
        }
    }

    @Test func `the description names everything but where keys lie`() throws {
        let text = try load(Self.full).redactedDescription
        #expect(text.contains("authentication.jwt += instance=a issuer=https://login.example.org audience=mqtt"))
        #expect(text.contains("authentication.http += instance=a url=https://login.example.org/mqtt?… "))
        #expect(text.contains("instance=a"))
        for path in ["/secret", "/key.pem"] { #expect(!text.contains(path)) }
    }

    @Test func `the lists that the default file shows can be used as they stand`() throws {
        var isInList = false
        let uncommented = Configuration.defaultYAML
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { line -> String in
                if line == "    # jwt:" || line == "    # http:" { isInList = true }
                if !line.hasPrefix("    # ") || line.hasPrefix("    # HTTP services") { isInList = false }
                return isInList ? "    " + line.dropFirst(6) : String(line)
            }
            .joined(separator: "\n")
        let read = try load(uncommented, overrides: Self.api).authentication
        #expect(read.jwt.first?.keys.count == 2)
        #expect(read.http.first?.caFile == "/etc/apus/login-ca.pem")
    }
}

@Suite("The URL of the management API")
struct HTTPEndpointTests {
    @Test(arguments: [
        ("http://127.0.0.1:0", false, "127.0.0.1", UInt16(0)), ("https://localhost", true, "localhost", 18083),
        ("http://[::1]", false, "::1", 18083), ("https://[::1]:443", true, "::1", 443),
    ])
    func `scheme, host and port are read`(url: String, isSecure: Bool, host: String, port: UInt16) throws {
        let endpoint = try HTTPEndpoint(url)
        #expect((endpoint.isSecure, endpoint.host, endpoint.port) == (isSecure, host, port))
    }

    @Test(arguments: ["", "127.0.0.1:1", "httpx://a", "http://", "http://a/b", "https://u@a", "http://a:b"])
    func `anything else is refused`(url: String) {
        #expect(throws: InvalidValue.self) { try HTTPEndpoint(url) }
    }

    @Test(arguments: [
        ("api: {listen: 'https://a', certificate: /c, key: /k}", "/c"),
        ("api: {listen: 'https://a'}\ntls: {certificate: /tc, key: /tk}", "/tc"),
        ("api: {listen: 'http://a', certificate: /c, key: /k}", nil),
    ])
    func `https has a certificate of its own or that of the listeners`(yaml: String, certificate: String?) throws {
        #expect(try load(yaml).apiCertificate?.certificate == certificate)
    }

    @Test(arguments: ["", ", certificate: /c", ", key: /k"])
    func `https without a whole pair is refused`(rest: String) {
        let found = problems("api: {listen: 'https://a'\(rest)}\n")
        #expect(
            found == [
                "apus.yaml:1: api.listen: https needs `api.certificate` and `api.key`, or `tls.certificate` and `tls.key`"
            ]
        )
    }
}
