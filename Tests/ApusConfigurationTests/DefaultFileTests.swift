import Testing

@testable import ApusConfiguration

@Suite("The default configuration file")
struct DefaultFileTests {
    @Test func `reading it gives the built-in defaults`() throws {
        let read = try Configuration.load(yaml: (name: "default", text: Configuration.defaultYAML))
        #expect(read == Configuration())
    }

    @Test func `without a file the defaults hold, on this machine only`() throws {
        let configuration = try Configuration.load(file: nil)
        #expect(configuration == Configuration())
        #expect(configuration.listeners.map(\.name) == ["mqtt://127.0.0.1:1883", "ws://127.0.0.1:8083"])
        #expect(configuration.listeners.allSatisfy { $0.address.isLoopback })
    }

    @Test(arguments: ConfigurationReader.keys)
    func `every key stands in it under a comment`(key: String) throws {
        let lines = Configuration.defaultYAML.split(separator: "\n", omittingEmptySubsequences: false)
        let parts = key.split(separator: ".")
        let sectionStart = parts.count == 1 ? 0 : try #require(lines.firstIndex(of: "\(parts[0]):"))
        let name = "\(parts[parts.count - 1]):"
        let index = try #require(
            lines[sectionStart...].firstIndex { line in
                let bare = line.drop { $0 == " " || $0 == "#" }
                return bare == name || bare.hasPrefix("\(name) ")
            }
        )
        #expect(lines[index - 1].drop { $0 == " " }.hasPrefix("# "))
    }

    @Test func `the keys that it shows as comments can be used as they stand`() throws {
        let uncommented = Configuration.defaultYAML
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { line -> Substring in
                let bare = line.drop { $0 == " " }
                let isExample = ConfigurationReader.keys.contains { key in
                    bare.hasPrefix("# \(key.split(separator: ".").last!): /")
                }
                return isExample ? "    " + bare.dropFirst(2) : line
            }
            .joined(separator: "\n")
        let read = try Configuration.load(yaml: (name: "default", text: uncommented))
        #expect(read.authentication.passwordFile == "/etc/apus/passwords")
        #expect(read.authorization.aclFile == "/etc/apus/acl")
        #expect(read.tls.key == "/etc/apus/server.key")
    }

    @Test func `no line is too long to read`() {
        for line in Configuration.defaultYAML.split(separator: "\n") { #expect(line.count <= 120) }
    }
}

@Suite("The table of settings")
struct SettingTableTests {
    @Test func `no key and no variable stands there twice`() {
        #expect(Set(Setting.all.map(\.key)).count == Setting.all.count)
        #expect(Set(Setting.all.map(\.environmentVariable)).count == Setting.all.count)
    }

    @Test(arguments: Setting.all.map(\.key))
    func `a default is a valid value`(key: String) throws {
        let setting = try #require(ConfigurationReader.settings[key])
        var configuration = Configuration()
        if let text = setting.text(configuration) { try setting.read(text, &configuration) }
        #expect(configuration == Configuration())
    }

    @Test(arguments: [
        ("shards", "APUS_SHARDS"),
        ("limits.connections", "APUS_LIMITS_CONNECTIONS"),
        ("limits.inFlightMessages", "APUS_LIMITS_IN_FLIGHT_MESSAGES"),
        ("tls.clientCA", "APUS_TLS_CLIENT_CA"),
        ("data.directory", "APUS_DATA_DIRECTORY"),
    ])
    func `variables are the key in upper snake case`(key: String, variable: String) {
        #expect(Setting.environmentVariable(of: key) == variable)
    }
}
