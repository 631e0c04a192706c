import Testing

@testable import ApusConfiguration

@Suite("The files that a configuration names")
struct NamedFilesTests {
    private static let yaml = """
        authentication: {passwordFile: /u}
        tls:
            certificate: /c
            key: /k
            hosts:
                - {name: a, certificate: /ac, key: /ak}
        listeners:
            - mqtts://127.0.0.1
            - unix:/run/apus.sock
            - url: wss://127.0.0.1
              tls:
                  certificate: /lc
                  key: /lk
                  clientCA: /la
                  clientCertificate: required
        """

    private func examine(
        _ yaml: String,
        environment: [String: String] = [:],
        overrides: [ConfigurationOverride] = [],
    ) -> Configuration.Examination {
        Configuration.Examination(
            yaml: (name: "apus.yaml", text: yaml),
            environment: environment,
            overrides: overrides,
            purpose: .service,
        )
    }

    @Test func `all of them are listed, under the keys that name them`() {
        let examination = examine(Self.yaml)
        #expect(examination.problems.isEmpty)
        #expect(
            examination.configuration.namedFiles == [
                NamedFile(key: "authentication.passwordFile", path: "/u", content: .users),
                NamedFile(key: "tls.certificate", path: "/c", content: .certificate(key: "tls.key", keyPath: "/k")),
                NamedFile(
                    key: "tls.hosts[0].certificate",
                    path: "/ac",
                    content: .certificate(key: "tls.hosts[0].key", keyPath: "/ak")
                ),
                NamedFile(key: "listeners[1]", path: "/run/apus.sock", content: .socket),
                NamedFile(
                    key: "listeners[2].tls.certificate",
                    path: "/lc",
                    content: .certificate(key: "listeners[2].tls.key", keyPath: "/lk")
                ),
                NamedFile(key: "listeners[2].tls.clientCA", path: "/la", content: .authorities),
            ]
        )
        #expect(Configuration().namedFiles.isEmpty)
    }

    @Test(arguments: [
        ("authentication.passwordFile", 1), ("tls.certificate", 3), ("tls.key", 4), ("tls.hosts[0].certificate", 6),
        ("listeners[1]", 9), ("listeners[2].tls.key", 13), ("listeners[2].tls.clientCA", 14),
    ])
    func `each is found again in the file`(key: String, line: Int) {
        #expect(examine(Self.yaml).origin(of: key) == .file("apus.yaml", line: line))
    }

    @Test func `what lies over the file is named instead of it`() {
        let examination = examine(
            Self.yaml,
            environment: ["APUS_TLS_KEY": "/ek"],
            overrides: [
                ConfigurationOverride(option: "--set", key: "tls.certificate", value: "/oc"),
                ConfigurationOverride(option: "--listen", key: "listeners", value: "wss://127.0.0.1"),
            ],
        )
        #expect(examination.origin(of: "tls.key") == .environment(variable: "APUS_TLS_KEY"))
        #expect(examination.origin(of: "tls.certificate") == .commandLine(option: "--set"))
        // The third listener of the file is the first now; where its files stand is not known any more.
        #expect(examination.configuration.namedFiles.contains { $0.key == "listeners[0].tls.certificate" })
        #expect(examination.origin(of: "listeners[0].tls.certificate") == .combination)
    }

    @Test func `a configuration with problems still tells what could be read`() {
        let examination = examine("lmits: 1\n\(Self.yaml)")
        #expect(examination.problems.count == 1)
        #expect(examination.configuration.namedFiles.count == 6)
        #expect(throws: ConfigurationError.self) { try examination.usable() }
    }

    @Test func `half of a pair is listed too`() {
        let found = examine("tls: {certificate: /c, hosts: []}\n").configuration.namedFiles
        #expect(found == [NamedFile(key: "tls.certificate", path: "/c", content: .halfOfPair)])
        #expect(examine("tls: {key: /k}\n").configuration.namedFiles.map(\.key) == ["tls.key"])
    }
}
