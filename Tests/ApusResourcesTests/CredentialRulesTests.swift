import ApusMessage
import Testing

@testable import ApusResources

@Suite("Rules of credentials, permissions, bans and certificates")
struct CredentialRulesTests {
    // MARK: - Device credentials

    @Test(arguments: [
        ("", "DC.k", "DC.s", "clientId"), (String(repeating: "c", count: 65), "DC.k", "DC.s", "clientId"),
        ("GID_a@@@é", "DC.k", "DC.s", "clientId"), ("GID_a@@@ 1", "DC.k", "DC.s", "clientId"),
        ("GID_a@@@\u{0}", "DC.k", "DC.s", "clientId"), ("GID_a@@@1", "LTAIx", "DC.s", "accessKeyId"),
        ("GID_a@@@1", "DC.a|b", "DC.s", "accessKeyId"), ("GID_a@@@1", "DC.k", "s", "accessKeyId"),
        ("GID_a@@@1", "", "DC.s", "accessKeyId"),
    ])
    func `a credential that breaks a rule is refused`(
        clientID: String,
        id: String,
        secret: String,
        field: String,
    ) throws {
        let fixture = try ResourceFixture()
        let error = fixture.refusal(fixture.credential(clientID, id: id, secret: secret))
        #expect(error?.kind == .invalid(field: field))
    }

    @Test func `a new credential of a device replaces the old one`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.credential("GID_a@@@1", id: "DC.old"))
        try fixture.change(fixture.credential("GID_a@@@1", id: "DC.new"))
        #expect(fixture.directory.deviceCredential(fixture.instance, accessKeyID: "DC.old") == nil)
        #expect(fixture.directory.deviceCredential(fixture.instance, accessKeyID: "DC.new")?.clientID == "GID_a@@@1")
        try fixture.change(.deleteDeviceCredential(fixture.instance, clientID: "GID_a@@@1"))
        #expect(fixture.directory.deviceCredential(fixture.instance, accessKeyID: "DC.new") == nil)
        let again = fixture.refusal(.deleteDeviceCredential(fixture.instance, clientID: "GID_a@@@1"))
        #expect(again?.kind == .notFound)
    }

    @Test func `device credentials have a limit, and revoked tokens none`() throws {
        let fixture = try ResourceFixture()
        func revoked(_ id: String) -> CatalogChange {
            .putRevokedToken(RevokedToken(instance: fixture.instance, tokenID: id, expiresAt: .max))
        }
        try fixture.limit([.deviceCredentials: 1])
        try fixture.change(fixture.credential("GID_a@@@1", id: "DC.one"), revoked("1"))
        let another = fixture.refusal(fixture.credential("GID_a@@@2", id: "DC.two"))
        #expect(another?.kind == .overLimit(.deviceCredentials))
        try fixture.change(revoked("2"), revoked("3"))
        // Nothing is added.
        try fixture.change(fixture.credential("GID_a@@@1", id: "DC.three"), revoked("1"))
    }

    @Test func `an instance has a hundred authorities`() throws {
        let fixture = try ResourceFixture()
        for number in 1...100 { try fixture.change(Self.authority("\(number)", fixture.instance)) }
        #expect(fixture.refusal(Self.authority("101", fixture.instance))?.kind == .invalid(field: "CaContent"))
        try fixture.change(Self.authority("100", fixture.instance, name: "another"))
    }

    @Test func `two devices do not share an access key id`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.credential("GID_a@@@1", id: "DC.one"))
        #expect(fixture.refusal(fixture.credential("GID_a@@@2", id: "DC.one"))?.kind == .exists)
        #expect(fixture.directory.deviceCredential(fixture.instance, accessKeyID: "DC.one")?.clientID == "GID_a@@@1")
    }

    // MARK: - Custom authentication

    @Test(arguments: ["a", "user name", "üser", "🦀", "' OR 1=1 --", "../../etc", String(repeating: "u", count: 64)])
    func `a user name of 1 to 64 characters is taken`(userName: String) throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.identity(userName))
        #expect(fixture.directory.identity(fixture.instance, userName: userName, clientID: "any") != nil)
        #expect(fixture.directory.identity(fixture.plain, userName: userName, clientID: "any") == nil)
    }

    @Test(arguments: ["", "a|b", "nul\u{0}", "tab\t", "\u{85}", String(repeating: "u", count: 65)])
    func `another user name is refused`(userName: String) throws {
        let fixture = try ResourceFixture()
        #expect(fixture.refusal(fixture.identity(userName))?.kind == .invalid(field: "userName"))
    }

    @Test func `the type says whether there is a client id`() throws {
        let fixture = try ResourceFixture()
        for bad in [
            fixture.identity(.user, "name", clientID: "client"), fixture.identity(.client, "name", clientID: nil),
            fixture.identity(.client, "name", clientID: ""),
            .deleteIdentity(fixture.instance, .user, userName: "name", clientID: "client"),
            .deleteIdentity(fixture.instance, .client, userName: "name", clientID: nil),
        ] {
            #expect(fixture.refusal(bad)?.kind == .invalid(field: "clientId"))
        }
        let long = fixture.identity("name", clientID: String(repeating: "c", count: 65))
        #expect(fixture.refusal(long)?.kind == .invalid(field: "clientId"))
        #expect(fixture.refusal(fixture.identity("name", secret: ""))?.kind == .invalid(field: "secret"))
    }

    @Test func `the entry of the client goes before that of the user`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(
            fixture.identity("name", secret: "ofUser"),
            fixture.identity("name", clientID: "client", secret: "ofClient"),
        )
        let directory = fixture.directory
        #expect(directory.identity(fixture.instance, userName: "name", clientID: "client")?.secret == "ofClient")
        #expect(directory.identity(fixture.instance, userName: "name", clientID: "other")?.secret == "ofUser")
        #expect(directory.identity(fixture.instance, userName: "name", clientID: "")?.secret == "ofUser")
        try fixture.change(.deleteIdentity(fixture.instance, .user, userName: "name", clientID: nil))
        #expect(directory.identity(fixture.instance, userName: "name", clientID: "other") == nil)
        #expect(directory.identity(fixture.instance, userName: "name", clientID: "client")?.secret == "ofClient")
    }

    /// MQTT 5.0, section 1.5.4: no text is made another one.
    @Test func `names that only look the same are two`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(
            fixture.identity("caf\u{E9}", secret: "composed"),
            fixture.identity("cafe\u{301}", secret: "decomposed"),
        )
        let directory = fixture.directory
        #expect(directory.identity(fixture.instance, userName: "caf\u{E9}", clientID: "")?.secret == "composed")
        #expect(directory.identity(fixture.instance, userName: "cafe\u{301}", clientID: "")?.secret == "decomposed")
        try fixture.change(fixture.topic("Kafka"), fixture.ban("K"))
        #expect(!directory.hasTopic(fixture.instance, "\u{212A}afka"))
        #expect(!directory.isBanned(fixture.instance, clientID: "\u{212A}"))
    }

    @Test(arguments: ["orders", "orders/#", "orders/+/x", "orders/p2p/GID_a@@@1"])
    func `a permission is for a topic or filter under a parent topic`(topic: String) throws {
        let fixture = try ResourceFixture()
        let permission = fixture.permission("name", topic)
        let error = try #require(fixture.refusal(permission))
        #expect(error.kind == .notFound)
        #expect(error.message.contains("`orders`"))
        try fixture.change(fixture.topic("orders"))
        try fixture.change(permission)
        let found = fixture.directory.permissions(fixture.instance, userName: "name", clientID: "client")
        #expect(found.map(\.topic) == [topic])
        try fixture.change(.deletePermission(fixture.instance, .user, identity: "name", topic: topic))
        #expect(fixture.directory.permissions(of: fixture.instance).isEmpty)
    }

    @Test(arguments: ["", "orders/#/x", "orders+", "nul\u{0}", String(repeating: "t", count: 65_536)])
    func `no topic and no filter is refused`(topic: String) throws {
        let fixture = try ResourceFixture()
        let error = fixture.refusal(fixture.permission("name", topic, in: fixture.plain))
        #expect(error?.kind == .invalid(field: "topic"))
    }

    @Test(arguments: ["#", String(repeating: "level/", count: 100) + "#", String(repeating: "t", count: 65_535)])
    func `any filter does where parent topics need not exist`(topic: String) throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.permission("name", topic, in: fixture.plain))
    }

    @Test func `of a P2P topic only the parent counts for its length`() throws {
        let fixture = try ResourceFixture()
        let parent = String(repeating: "p", count: 64)
        try fixture.change(fixture.topic(parent))
        try fixture.change(fixture.permission("name", "\(parent)/p2p/GID_a@@@" + String(repeating: "c", count: 56)))
        for topic in ["\(parent)/p2p", "\(parent)/p2p/a/b", "\(parent)/P2P/a"] {
            #expect(fixture.refusal(fixture.permission("name", topic))?.kind == .invalid(field: "topic"))
        }
        try fixture.limit([.topicCharacters: 200])
        try fixture.change(fixture.permission("name", "\(parent)/" + String(repeating: "t", count: 135)))
    }

    /// A slash with a combining mark is one character, and a slash to MQTT.
    @Test func `the parent topic of a permission ends where MQTT says`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.topic("orders"))
        try fixture.change(fixture.permission("name", "orders/\u{301}x"))
    }

    @Test func `identities have one capacity, permissions and bans the other`() throws {
        let fixture = try ResourceFixture()
        try fixture.change(fixture.topic("orders"))
        try fixture.limit([.customAuthEntries: 2])
        try fixture.change(fixture.identity("one"), fixture.identity("one", clientID: "client"))
        #expect(fixture.refusal(fixture.identity("two"))?.kind == .overLimit(.customAuthEntries))
        try fixture.change(fixture.identity("one", secret: "changed"))
        try fixture.change(fixture.permission("one", "orders"), fixture.ban("client"))
        #expect(fixture.refusal(fixture.permission("one", "orders/#"))?.kind == .overLimit(.customAuthEntries))
        #expect(fixture.refusal(fixture.ban("other"))?.kind == .overLimit(.customAuthEntries))
        try fixture.change(fixture.permission("one", "orders", .deny), fixture.ban("client"))
        try fixture.change(.deleteBan(BannedClient(instance: fixture.instance, clientID: "client")))
        try fixture.change(fixture.permission("one", "orders/#"))
        try fixture.change(.deleteIdentity(fixture.instance, .client, userName: "one", clientID: "client"))
        try fixture.change(fixture.identity("two"))
    }

    @Test func `what is not there cannot be deleted`() throws {
        let fixture = try ResourceFixture()
        let number = fixture.instance
        for change in [
            CatalogChange.deleteIdentity(number, .user, userName: "name", clientID: nil),
            .deletePermission(number, .user, identity: "name", topic: "orders"),
            .deleteBan(BannedClient(instance: number, clientID: "client")),
            .deleteCACertificate(number, serialNumber: "1"),
            .deleteDeviceCertificate(number, caSerialNumber: "1", serialNumber: "2"),
        ] {
            #expect(fixture.refusal(change)?.kind == .notFound)
        }
    }

    // MARK: - Certificates

    static func authority(_ serialNumber: String, _ instance: InstanceNumber, name: String = "ca") -> CatalogChange {
        .putCACertificate(
            CACertificate(
                instance: instance,
                serialNumber: serialNumber,
                name: name,
                content: "PEM",
                verificationContent: "PEM",
                registrationCode: "code",
                validFrom: 1,
                validUntil: 2,
            )
        )
    }

    static func device(_ serialNumber: String, of authority: String, _ instance: InstanceNumber) -> CatalogChange {
        .putDeviceCertificate(
            DeviceCertificate(
                instance: instance,
                caSerialNumber: authority,
                serialNumber: serialNumber,
                name: "device",
                content: "PEM",
                validFrom: 1,
                validUntil: 2,
            )
        )
    }

    @Test(arguments: ["", String(repeating: "1", count: 129), String(repeating: "é", count: 65), "1\u{0}"])
    func `a serial number has 1 to 128 bytes`(serialNumber: String) throws {
        let fixture = try ResourceFixture()
        let error = fixture.refusal(Self.authority(serialNumber, fixture.instance))
        #expect(error?.kind == .invalid(field: "Sn"))
        try fixture.change(Self.authority("1", fixture.instance))
        let device = fixture.refusal(Self.device(serialNumber, of: "1", fixture.instance))
        #expect(device?.kind == .invalid(field: "Sn"))
    }

    @Test func `a device certificate needs its authority, and goes with it`() throws {
        let fixture = try ResourceFixture()
        #expect(fixture.refusal(Self.device("2", of: "1", fixture.instance))?.kind == .notFound)
        try fixture.change(Self.authority("1", fixture.instance), Self.device("2", of: "1", fixture.instance))
        let directory = fixture.directory
        #expect(directory.deviceCertificates(of: fixture.instance, caSerialNumber: nil).count == 1)
        #expect(directory.deviceCertificates(of: fixture.instance, caSerialNumber: "1").count == 1)
        #expect(directory.deviceCertificates(of: fixture.instance, caSerialNumber: "9").isEmpty)
        try fixture.change(.deleteCACertificate(fixture.instance, serialNumber: "1"))
        #expect(directory.caCertificate(fixture.instance, serialNumber: "1") == nil)
        #expect(directory.deviceCertificates(of: fixture.instance, caSerialNumber: nil).isEmpty)
    }

    @Test(arguments: [
        (101, "domain", "id"), (1, "", "id"), (1, "domain", ""), (1, "do\nmain", "id"),
        (1, String(repeating: "d", count: 256), "id"),
    ])
    func `server names out of bounds are refused`(count: Int, domain: String, certificateID: String) throws {
        let fixture = try ResourceFixture()
        let entry = ServerNameConfiguration.Entry(domain: domain, certificateID: certificateID, password: "")
        let names = ServerNameConfiguration(
            instance: fixture.instance,
            defaultCertificate: "id",
            entries: Array(repeating: entry, count: count),
        )
        #expect(fixture.refusal(.putServerNames(names))?.kind == .invalid(field: "SniConfig"))
    }

    @Test func `a server name is one instance's, in any case of letters`() throws {
        let fixture = try ResourceFixture()
        func names(_ instance: InstanceNumber, _ domains: String...) -> CatalogChange {
            .putServerNames(
                ServerNameConfiguration(
                    instance: instance,
                    defaultCertificate: "id",
                    entries: domains.map { .init(domain: $0, certificateID: "id", password: "") },
                )
            )
        }
        try fixture.change(names(fixture.instance, "a.example", "*.b.example"))
        #expect(fixture.refusal(names(fixture.plain, "A.Example"))?.kind == .exists)
        #expect(fixture.refusal(names(fixture.plain, "c.example", "*.B.example"))?.kind == .exists)
        try fixture.change(names(fixture.plain, "x.b.example"))
        try fixture.change(names(fixture.instance, "a.example"))
        try fixture.change(names(fixture.plain, "*.b.example"))
        #expect(fixture.directory.serverNames.map(\.instance) == [fixture.instance, fixture.plain])
        let table = ServerNameTable(fixture.directory.serverNames)
        #expect(table.instance(for: "a.example") == fixture.instance)
        #expect(table.instance(for: "z.b.example") == fixture.plain)
        #expect(table.instance(for: ".b.example") == nil)
    }

    // MARK: - Revoked tokens

    @Test func `revoked tokens are known until they have ended`() throws {
        let fixture = try ResourceFixture()
        for (id, end) in [("a", 10), ("b", 20)] as [(String, Int64)] {
            try fixture.change(.putRevokedToken(RevokedToken(instance: fixture.instance, tokenID: id, expiresAt: end)))
        }
        try fixture.change(.forgetRevokedTokens(expiredBefore: 20))
        #expect(!fixture.directory.isRevoked(fixture.instance, tokenID: "a"))
        #expect(fixture.directory.isRevoked(fixture.instance, tokenID: "b"))
        #expect(!fixture.directory.isRevoked(fixture.plain, tokenID: "b"))
    }
}
