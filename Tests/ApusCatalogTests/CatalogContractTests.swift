import ApusMessage
import ApusResources
import MQTTCodec
import Testing

@testable import ApusCatalog

/// What every implementation of the port promises.
@Suite("Catalog")
struct CatalogContractTests {
    @Test(arguments: CatalogSubject.allCases)
    func `a new one is empty`(subject: CatalogSubject) throws {
        try subject.run { catalog, reopen throws in
            #expect(try catalog.load() == CatalogContents())
            #expect(try reopen().load() == CatalogContents())
            #expect(try catalog.audit(before: nil, limit: 10, instance: nil).isEmpty)
        }
    }

    // MARK: - Kept equal

    static let texts = [
        "sample", "'; DROP TABLE account; --", "\"quoted\"", "../../etc/passwd", "a;b#c;;d##", "100% _ * ? [a-z]", "",
        " leading and trailing ", "new\nline\ttab\u{1}\u{7F}", "🦀🏳️‍🌈", "cafe\u{301}", "\u{212A}elvin", "\u{202E}txet",
        "\u{FEFF}bom", "\u{10FFFF}", String(repeating: "é", count: 1 << 19),
    ]

    @Test(arguments: CatalogSubject.allCases, texts)
    func `what was put is loaded back, to the byte`(subject: CatalogSubject, text: String) throws {
        try subject.run { catalog, reopen throws in
            let number = try catalog.makeInstance()
            // An empty client id is none.
            let samples = Samples(instance: number, text: text.isEmpty ? "x" : text)
            #expect(try catalog.commit(samples.puts, audit: nil) == samples.puts)
            for catalog in [catalog, try reopen()] {
                var loaded = try catalog.load()
                #expect(loaded.instances.map(\.number) == [number])
                loaded.instances = []
                loaded.accounts = []
                #expect(loaded.sorted == samples.contents.sorted)
                #expect(loaded.topics.map(\.name.bytes) == [samples.text.bytes], "equal to Unicode is not enough")
                #expect(loaded.serverNames.first?.entries.first?.password.bytes == samples.text.bytes)
                #expect(Set(loaded.identities.map(\.userName.bytes)) == [samples.text.bytes])
            }
        }
    }

    /// Cut at the NUL it would be another name.
    @Test(arguments: CatalogSubject.allCases)
    func `text with NUL is refused or kept, never cut`(subject: CatalogSubject) throws {
        try subject.run { catalog, reopen throws in
            let number = try catalog.makeInstance()
            try catalog.commit(.putBan(BannedClient(instance: number, clientID: "admin")))
            for change in Samples(instance: number, text: "admin\u{0}behind").puts { _ = try? catalog.commit(change) }
            _ = try? catalog.commit(.deleteBan(BannedClient(instance: number, clientID: "admin\u{0}other")))
            let loaded = try reopen().load()
            #expect(loaded.bans.contains { $0.clientID == "admin" })
            for text in loaded.identities.map(\.userName) + loaded.topics.map(\.name) + loaded.bans.map(\.clientID) {
                #expect(["admin", "admin\u{0}behind"].contains(text))
            }
            #expect(!loaded.identities.contains { $0.userName == "admin" })
        }
    }

    @Test(arguments: CatalogSubject.allCases, Profile.allCases)
    func `an instance keeps its policies and limits`(subject: CatalogSubject, profile: Profile) throws {
        try subject.run { catalog, reopen throws in
            var instance = Instance(id: "full", name: "named", account: "shop", profile: profile, createdAt: 7)
            instance.state = .stopped
            instance.policies.duplicateClientID = .takeover
            instance.policies.onDenied = .refuse
            instance.policies.maximumQoS = .atLeastOnce
            instance.policies.requiresGroup = true
            instance.policies.requiresParentTopic = false
            instance.policies.persistentQoS2 = true
            instance.policies.p2p = false
            instance.policies.anonymousOnLoopback = true
            instance.policies.trace = false
            for (index, name) in InstanceLimits.Name.allCases.enumerated() { instance.limits.values[name] = index }
            let made = try catalog.commit(.putAccount(Account(name: "shop", createdAt: 1)), .putInstance(instance))
            guard case .putInstance(var stored) = made[1] else { return }
            instance.number = stored.number
            #expect(stored == instance)
            #expect(try reopen().load().instances == [instance])
            stored.policies = PolicyOverrides()
            stored.limits = LimitOverrides()
            stored.state = .running
            #expect(try catalog.commit(.putInstance(stored)) == [.putInstance(stored)])
            #expect(try reopen().load().instances == [stored])
        }
    }

    @Test(arguments: CatalogSubject.allCases)
    func `keys and secrets of the service are kept`(subject: CatalogSubject) throws {
        try subject.run { catalog, reopen throws in
            let keys = AccessKey.Rights.allCases.map { rights in
                AccessKey(
                    id: "\(rights)",
                    secret: "s",
                    account: "a",
                    rights: rights,
                    isEnabled: false,
                    createdAt: 3,
                    tokensSince: 5,
                )
            }
            try catalog.commit(.putAccount(Account(name: "a", createdAt: -5)))
            _ = try catalog.commit(keys.map(CatalogChange.putAccessKey), audit: nil)
            try catalog.commit(.putServiceSecret(name: "token", Array(0...255)), .putServiceSecret(name: "empty", []))
            let loaded = try reopen().load()
            #expect(loaded.accounts == [Account(name: "a", createdAt: -5)])
            #expect(Set(loaded.accessKeys) == Set(keys))
            #expect(loaded.serviceSecrets == ["token": Array(0...255), "empty": []])
            try catalog.commit(.deleteAccessKey(id: "data"))
            #expect(try reopen().load().accessKeys.count == 2)
        }
    }

    @Test(arguments: CatalogSubject.allCases)
    func `a second put of the same name changes the first`(subject: CatalogSubject) throws {
        try subject.run { catalog, reopen throws in
            let samples = Samples(instance: try catalog.makeInstance())
            _ = try catalog.commit(samples.puts, audit: nil)
            var topic = samples.topic
            topic.remark = "changed"
            var credential = samples.credential
            credential.accessKeySecret = "changed"
            var identity = samples.identity(.client, .origin)
            identity.secret = "changed"
            let permission = samples.permission(.client, .allow, .subscribe)
            var authority = samples.authority
            authority.isActive = true
            try catalog.commit(
                .putTopic(topic),
                .putDeviceCredential(credential),
                .putIdentity(identity),
                .putPermission(permission),
                .putCACertificate(authority),
                .putBan(samples.ban),
            )
            let loaded = try reopen().load()
            #expect(loaded.topics == [topic])
            #expect(loaded.deviceCredentials == [credential])
            #expect(Set(loaded.identities) == [samples.identity(.user, .origin), identity])
            #expect(Set(loaded.permissions) == [samples.permission(.user, .allow, .publish), permission])
            #expect(loaded.caCertificates == [authority])
            #expect(loaded.deviceCertificates == [samples.device], "a changed authority keeps its devices")
            #expect(loaded.bans == [samples.ban])
        }
    }

    // MARK: - Deleted

    static let deletions: [(String, @Sendable (Samples) -> CatalogChange, @Sendable (inout CatalogContents) -> Void)] =
        [
            (
                "topic with its tags", { .deleteTopic($0.instance, name: $0.text) },
                {
                    $0.topics = []
                    $0.tags.removeAll { $0.kind == .topic }
                }
            ),
            (
                "group with its tags", { .deleteGroup($0.instance, id: $0.text) },
                {
                    $0.groups = []
                    $0.tags.removeAll { $0.kind == .group }
                }
            ),
            (
                "tag", { .deleteTag($0.instance, .instance, resource: $0.text, key: $0.text) },
                { $0.tags.removeAll { $0.kind == .instance } }
            ),
            (
                "device credential", { .deleteDeviceCredential($0.instance, clientID: $0.text) },
                { $0.deviceCredentials = [] }
            ),
            (
                "identity of a user", { .deleteIdentity($0.instance, .user, userName: $0.text, clientID: nil) },
                { $0.identities.removeAll { $0.type == .user } }
            ),
            (
                "identity of a client", { .deleteIdentity($0.instance, .client, userName: $0.text, clientID: $0.text) },
                { $0.identities.removeAll { $0.type == .client } }
            ),
            (
                "permission", { .deletePermission($0.instance, .client, identity: $0.text, topic: $0.text) },
                { $0.permissions.removeAll { $0.type == .client } }
            ),
            ("ban", { .deleteBan($0.ban) }, { $0.bans = [] }),
            ("revoked token that is not over", { _ in .forgetRevokedTokens(expiredBefore: 10) }, { _ in }),
            ("revoked token that is over", { _ in .forgetRevokedTokens(expiredBefore: 11) }, { $0.revokedTokens = [] }),
            (
                "CA certificate with its devices", { .deleteCACertificate($0.instance, serialNumber: $0.text) },
                {
                    $0.caCertificates = []
                    $0.deviceCertificates = []
                }
            ),
            (
                "device certificate",
                { .deleteDeviceCertificate($0.instance, caSerialNumber: $0.text, serialNumber: $0.text) },
                { $0.deviceCertificates = [] }
            ),
            ("what is not there", { .deleteTopic($0.instance, name: "other") }, { _ in }),
        ]

    @Test(arguments: CatalogSubject.allCases, deletions.indices)
    func `what is deleted goes, with what depends on it`(subject: CatalogSubject, index: Int) throws {
        let (name, deletion, effect) = Self.deletions[index]
        try subject.run { catalog, reopen throws in
            let first = Samples(instance: try catalog.makeInstance("first"))
            let second = Samples(instance: try catalog.makeInstance("second"))
            _ = try catalog.commit(first.puts + second.puts, audit: nil)
            try catalog.commit(deletion(first))
            var expected = first.contents
            effect(&expected)
            let isEverywhere = name.hasPrefix("revoked token")
            for catalog in [catalog, try reopen()] {
                let loaded = try catalog.load()
                #expect(loaded.of(first.instance).sorted == expected.sorted, "\(name)")
                if !isEverywhere { #expect(loaded.of(second.instance).sorted == second.contents.sorted, "\(name)") }
            }
        }
    }

    @Test(arguments: CatalogSubject.allCases)
    func `an instance goes with all that belongs to it`(subject: CatalogSubject) throws {
        try subject.run { catalog, reopen throws in
            let first = Samples(instance: try catalog.makeInstance("first"))
            let second = Samples(instance: try catalog.makeInstance("second"))
            _ = try catalog.commit(first.puts + second.puts, audit: nil)
            try catalog.commit(.deleteInstance(first.instance))
            for catalog in [catalog, try reopen()] {
                let loaded = try catalog.load()
                #expect(loaded.of(first.instance) == CatalogContents())
                #expect(loaded.of(second.instance).sorted == second.contents.sorted)
                #expect(loaded.instances.map(\.id) == ["second"])
            }
        }
    }

    @Test(arguments: CatalogSubject.allCases)
    func `an account goes with its keys`(subject: CatalogSubject) throws {
        try subject.run { catalog, reopen throws in
            for name in ["one", "two"] {
                try catalog.commit(
                    .putAccount(Account(name: name, createdAt: 1)),
                    .putAccessKey(AccessKey(id: "of-\(name)", secret: "s", account: name, rights: .data, createdAt: 1)),
                )
            }
            try catalog.commit(.deleteAccount(name: "one"))
            let loaded = try reopen().load()
            #expect(loaded.accounts.map(\.name) == ["two"])
            #expect(loaded.accessKeys.map(\.id) == ["of-two"])
        }
    }

    // MARK: - Numbers

    @Test(arguments: CatalogSubject.allCases)
    func `an instance's number is never given again`(subject: CatalogSubject) throws {
        try subject.run { catalog, reopen throws in
            var given: Set<InstanceNumber> = []
            for round in 0..<3 {
                for index in 0..<3 {
                    let number = try catalog.makeInstance("i\(round)-\(index)")
                    #expect(number > given.max() ?? .none)
                    #expect(!number.isNew)
                    given.insert(number)
                    if index > 0 { try catalog.commit(.deleteInstance(number)) }
                }
                _ = try reopen()
            }
            #expect(given.count == 9)
        }
    }

    @Test(arguments: CatalogSubject.allCases)
    func `a number that was rolled back does not stand in for another`(subject: CatalogSubject) throws {
        try subject.run { catalog, reopen throws in
            let first = try catalog.makeInstance("first")
            let instance = Instance(id: "second", account: "nobody", profile: .standard, createdAt: 1)
            #expect(throws: CatalogError.self) { try catalog.commit(.putInstance(instance)) }
            let second = try catalog.makeInstance("second")
            #expect(second > first)
            #expect(try reopen().load().instances.count == 2)
        }
    }

    @Test(arguments: CatalogSubject.allCases)
    func `changes name new instances before they have their numbers`(subject: CatalogSubject) throws {
        try subject.run { catalog, reopen throws in
            let samples = [0, 1].map { Samples(instance: .provisional($0)) }
            let instances = [0, 1].map { index in
                Instance(
                    number: .provisional(index),
                    id: "new\(index)",
                    account: "shop",
                    profile: .standard,
                    createdAt: 1,
                )
            }
            var changes: [CatalogChange] = [.putAccount(Account(name: "shop", createdAt: 1))]
            changes += instances.map(CatalogChange.putInstance) + samples[1].puts + samples[0].puts
            changes.append(.deleteTopic(.provisional(1), name: "sample"))
            let made = try catalog.commit(changes, audit: nil)
            let loaded = try reopen().load()
            let numbers = loaded.instances.sorted { $0.id < $1.id }.map(\.number)
            #expect(numbers.allSatisfy { !$0.isNew } && Set(numbers).count == 2)
            #expect(loaded.of(numbers[0]).sorted == Samples(instance: numbers[0]).contents.sorted)
            #expect(loaded.of(numbers[1]).topics.isEmpty)
            #expect(made.last == .deleteTopic(numbers[1], name: "sample"))
            #expect(made[3] == .putTopic(Samples(instance: numbers[1]).topic))
        }
    }

    // MARK: - All or none

    static let impossible: [(String, @Sendable (InstanceNumber) -> CatalogChange)] = [
        ("topic of an unknown instance", { _ in .putTopic(Samples(instance: InstanceNumber(rawValue: 99)).topic) }),
        ("certificate of an unknown CA", { .putDeviceCertificate(Samples(instance: $0, text: "unknown").device) }),
        (
            "key of an unknown account",
            { _ in .putAccessKey(AccessKey(id: "k", secret: "s", account: "nobody", rights: .data, createdAt: 1)) }
        ),
        (
            "instance of an unknown account",
            { _ in .putInstance(Instance(id: "other", account: "nobody", profile: .standard, createdAt: 1)) }
        ),
        (
            "second instance of an id",
            { _ in .putInstance(Instance(id: "first", account: "shop", profile: .standard, createdAt: 1)) }
        ),
        ("account that owns an instance", { _ in .deleteAccount(name: "shop") }),
    ]

    @Test(arguments: CatalogSubject.allCases, impossible.indices)
    func `a change that cannot be made undoes those before it`(subject: CatalogSubject, index: Int) throws {
        let (name, impossible) = Self.impossible[index]
        try subject.run { catalog, reopen throws in
            let samples = Samples(instance: try catalog.makeInstance("first"))
            let before = try catalog.load()
            let audit = AuditEntry(time: 1, actor: "a", source: "", action: "b", instance: "", detail: "")
            #expect(throws: CatalogError.self, "\(name)") {
                try catalog.commit(samples.puts + [impossible(samples.instance)] + samples.puts, audit: audit)
            }
            for catalog in [catalog, try reopen()] {
                #expect(try catalog.load() == before)
                #expect(try catalog.audit(before: nil, limit: 10, instance: nil).isEmpty)
            }
            _ = try catalog.commit(samples.puts, audit: audit)
            #expect(try catalog.load().of(samples.instance).sorted == samples.contents.sorted)
        }
    }

    // MARK: - Audit

    @Test(arguments: CatalogSubject.allCases)
    func `the audit log is read in pages, newest first`(subject: CatalogSubject) throws {
        try subject.run { catalog, reopen throws in
            for index in 0..<25 {
                let entry = AuditEntry(
                    time: Int64(index),
                    actor: "'a'\"; --",
                    source: "::1",
                    action: "Ä🦀",
                    instance: index.isMultiple(of: 5) ? "five" : "other",
                    detail: "detail \(index)",
                    outcome: "Invalid topic",
                )
                _ = try catalog.commit([], audit: entry)
            }
            for catalog in [catalog, try reopen()] {
                var found: [AuditEntry] = []
                while true {
                    let page = try catalog.audit(before: found.last?.number, limit: 7, instance: nil)
                    #expect(page.count <= 7)
                    guard !page.isEmpty else { break }
                    found += page
                }
                #expect(found.map(\.time) == (0..<25).reversed().map(Int64.init))
                #expect(found.allSatisfy { $0.actor == "'a'\"; --" && $0.action == "Ä🦀" && $0.source == "::1" })
                #expect(found.first?.outcome == "Invalid topic")
                #expect(found.map(\.number) == found.map(\.number).sorted(by: >))
                let five = try catalog.audit(before: nil, limit: 100, instance: "five")
                #expect(five.map(\.time) == [20, 15, 10, 5, 0])
                #expect(try catalog.audit(before: five[1].number, limit: 2, instance: "five").map(\.time) == [10, 5])
                #expect(try catalog.audit(before: nil, limit: 100, instance: "fiv").isEmpty)
                #expect(try catalog.audit(before: .min, limit: 100, instance: nil).isEmpty)
                for limit in [0, -1, .min] {
                    #expect(try catalog.audit(before: nil, limit: limit, instance: nil).isEmpty)
                }
            }
        }
    }
}

extension String {
    fileprivate var bytes: [UInt8] { Array(utf8) }
}

extension CatalogContents {
    /// What belongs to one instance.
    fileprivate func of(_ number: InstanceNumber) -> CatalogContents {
        var contents = CatalogContents()
        contents.topics = topics.filter { $0.instance == number }
        contents.groups = groups.filter { $0.instance == number }
        contents.tags = tags.filter { $0.instance == number }
        contents.deviceCredentials = deviceCredentials.filter { $0.instance == number }
        contents.identities = identities.filter { $0.instance == number }
        contents.permissions = permissions.filter { $0.instance == number }
        contents.bans = bans.filter { $0.instance == number }
        contents.revokedTokens = revokedTokens.filter { $0.instance == number }
        contents.caCertificates = caCertificates.filter { $0.instance == number }
        contents.deviceCertificates = deviceCertificates.filter { $0.instance == number }
        contents.serverNames = serverNames.filter { $0.instance == number }
        return contents
    }
}
