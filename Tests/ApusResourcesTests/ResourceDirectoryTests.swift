import ApusMessage
import Testing

@testable import ApusResources

@Suite("Looking up resources")
struct ResourceDirectoryTests {
    @Test func `lists are sorted by their keys`() throws {
        let fixture = try ResourceFixture()
        for name in ["zebra", "apple", "mango"] { try fixture.change(fixture.topic(name)) }
        for id in ["GID_zzz", "GID_aaa"] { try fixture.change(fixture.group(id)) }
        for client in ["zzz", "aaa"] {
            try fixture.change(fixture.ban(client), fixture.identity("user", clientID: client))
        }
        let directory = fixture.directory
        #expect(directory.topics(of: fixture.instance).map(\.name) == ["apple", "mango", "zebra"])
        #expect(directory.groups(of: fixture.instance).map(\.id) == ["GID_aaa", "GID_zzz"])
        #expect(directory.bans(of: fixture.instance).map(\.clientID).sorted() == ["aaa", "zzz"])
        #expect(directory.identities(of: fixture.instance).compactMap(\.clientID).sorted() == ["aaa", "zzz"])
        #expect(directory.instances.map(\.number) == [fixture.instance, fixture.plain])
    }

    @Test func `an unknown instance has nothing`() throws {
        let directory = try ResourceFixture().directory
        let nowhere = InstanceNumber(rawValue: 99)
        #expect(directory.instance(nowhere) == nil)
        #expect(directory.instance(id: "nowhere") == nil)
        #expect(directory.topics(of: nowhere).isEmpty)
        #expect(directory.permissions(nowhere, userName: "a", clientID: "b").isEmpty)
        #expect(directory.deviceCredential(nowhere, accessKeyID: "DC.a") == nil)
        #expect(directory.deviceCredentialClientIDs(nowhere, group: nil, after: "", limit: 10).total == 0)
        #expect(directory.serverNames(of: nowhere) == nil)
    }

    @Test func `an id is looked up by its exact text`() throws {
        let directory = try ResourceFixture().directory
        #expect(directory.instance(id: "plain") != nil)
        for other in ["Plain", "plain ", "", "plain\u{0}"] { #expect(directory.instance(id: other) == nil) }
    }

    @Test func `permissions are those of the user and those of the client`() throws {
        let fixture = try ResourceFixture()
        func permission(_ type: IdentityType, _ identity: String, _ topic: String) -> CatalogChange {
            .putPermission(
                CustomPermission(
                    instance: fixture.plain,
                    type: type,
                    identity: identity,
                    topic: topic,
                    effect: .allow,
                    action: .publish,
                )
            )
        }
        try fixture.change(
            permission(.user, "anna", "a"),
            permission(.client, "phone", "b"),
            permission(.user, "phone", "c"),
            permission(.client, "anna", "d"),
        )
        let found = fixture.directory.permissions(fixture.plain, userName: "anna", clientID: "phone")
        #expect(found.map(\.topic).sorted() == ["a", "b"])
        #expect(fixture.directory.permissions(of: fixture.plain).count == 4)
    }

    // MARK: - Pages of client ids

    private static func fixture() throws -> ResourceFixture {
        let fixture = try ResourceFixture()
        for index in 0..<300 {
            let group = index.isMultiple(of: 3) ? "GID_one" : "GID_two"
            try fixture.change(fixture.credential("\(group)@@@\(1_000 + index)", id: "DC.\(index)"))
        }
        return fixture
    }

    @Test(arguments: [1, 7, 100, 1_000])
    func `pages of client ids together are all of them`(limit: Int) throws {
        let fixture = try Self.fixture()
        for group in ["GID_one", "GID_two", nil] {
            let all = fixture.directory.deviceCredentialClientIDs(
                fixture.instance,
                group: group,
                after: "",
                limit: .max,
            )
            #expect(all.total == (group == nil ? 300 : group == "GID_one" ? 100 : 200))
            #expect(all.clientIDs.count == all.total)
            #expect(all.clientIDs == all.clientIDs.sorted())
            var collected: [String] = []
            while true {
                let page = fixture.directory.deviceCredentialClientIDs(
                    fixture.instance,
                    group: group,
                    after: collected.last ?? "",
                    limit: limit,
                )
                #expect(page.total == all.total)
                #expect(page.clientIDs.count <= limit)
                guard !page.clientIDs.isEmpty else { break }
                collected += page.clientIDs
            }
            #expect(collected == all.clientIDs)
        }
    }

    @Test(arguments: [0, -1, .min])
    func `no page is asked for, none comes`(limit: Int) throws {
        let page = try Self.fixture().directory.deviceCredentialClientIDs(
            InstanceNumber(rawValue: 1),
            group: nil,
            after: "",
            limit: limit,
        )
        #expect(page.clientIDs.isEmpty)
        #expect(page.total == 300)
    }
}
