import ApusBroker
import ApusMessage
import ApusResources
import Testing

@testable import ApusCredentials

@Suite("Which instance a CONNECT is for")
struct ServiceInstanceResolverTests {
    private func resolver(_ change: (inout CatalogContents) -> Void = { _ in }) -> ServiceInstanceResolver {
        var contents = ServiceFixture.contents
        change(&contents)
        return ServiceInstanceResolver(
            directory: ResourceDirectory(contents),
            domains: ["localhost", "mqtt.Example.com"],
            listenerInstances: ["own": "Plain-00001", "lost": "gone"],
        )
    }

    private func peer(_ host: String?, listener: String = "tcp") -> Peer {
        Peer(address: "192.0.2.1:1", listener: listener, isLoopback: false, serverName: host)
    }

    @Test(
        arguments: [
            ("Signature|k|post-cn-other0001", "post-cn-apus00001.localhost", "own", 3), (nil, nil, "tcp", 1),
            (nil, "plain-00001.localhost", "tcp", 2), (nil, "Plain-00001.LOCALHOST:8083", "tcp", 2),
            (nil, "post-cn-other0001.mqtt.example.com.", "own", 3), (nil, "localhost", "own", 2),
            (nil, "elsewhere.example.com", "own", 2), (nil, "[::1]:8083", "tcp", 1), (nil, ".localhost", "tcp", 1),
            ("alice", nil, "own", 2), ("a|b|post-cn-other0001", nil, "tcp", 1), ("Signature|k", nil, "tcp", 1),
            ("Token|k|post-cn-other0001|x", nil, "tcp", 1),
        ] as [(String?, String?, String, UInt32)]
    )
    func `user name, then host, then listener, then the first`(
        userName: String?,
        host: String?,
        listener: String,
        number: UInt32,
    ) {
        let choice = resolver().resolve(userName: userName, peer: peer(host, listener: listener))
        guard case .instance(let settings) = choice else {
            Issue.record("\(choice)")
            return
        }
        #expect(settings.number.rawValue == number)
        #expect(settings.policies.p2p == (number != 2))
        #expect(settings.limits.topicCharacters == (number == 2 ? 0 : 64))
    }

    @Test(
        arguments: [
            ("Signature|k|none", nil, "tcp", "the user name names instance `none`, which does not exist"),
            ("Signature|k|POST-CN-APUS00001", nil, "tcp", "which does not exist"),
            (
                "Token|k|post-cn-stopped01", nil, "tcp",
                "the user name names instance `post-cn-stopped01`, which is stopped; start it or use another"
            ),
            (nil, "x.localhost", "tcp", "host `x.localhost` names instance `x`, which does not exist"),
            (nil, "post-cn-stopped01.localhost", "tcp", "which is stopped"),
            (nil, nil, "lost", "listener `lost` belongs to instance `gone`, which does not exist"),
        ] as [(String?, String?, String, String)]
    )
    func `a wrong name is refused, not replaced by another instance`(
        userName: String?,
        host: String?,
        listener: String,
        sentence: String,
    ) {
        let choice = resolver().resolve(userName: userName, peer: peer(host, listener: listener))
        guard case .refused(let explanation, _) = choice else {
            Issue.record("\(choice)")
            return
        }
        #expect(explanation.contains(sentence))
    }

    @Test(
        arguments: [
            ("shop.example", 3), ("Shop.Example:8083", 3), ("a.wild.example.", 2), ("exact.wild.example", 3),
            ("a.b.wild.example", 1), ("wild.example", 1),
            // Names of the service are nobody's own.
            ("mqtt.example.com", 1), ("post-cn-apus00001.localhost", 1),
        ]
    )
    func `a name that an instance has set stands for it`(host: String, number: UInt32) {
        let resolver = resolver { contents in
            contents.serverNames = [
                Self.names(2, ["*.wild.example"]),
                Self.names(
                    3,
                    ["shop.example", "exact.wild.example", "mqtt.example.com", "post-cn-apus00001.localhost"]
                ),
            ]
        }
        guard case .instance(let settings) = resolver.resolve(userName: nil, peer: peer(host)) else {
            Issue.record("refused")
            return
        }
        #expect(settings.number.rawValue == number)
    }

    @Test func `a set name of a stopped instance is refused, and the user name goes before it`() {
        let resolver = resolver { contents in
            let stopped = contents.instances.first { $0.state == .stopped }?.number.rawValue ?? 0
            contents.serverNames = [Self.names(stopped, ["shop.example"])]
        }
        guard case .refused(let explanation, _) = resolver.resolve(userName: nil, peer: peer("shop.example")) else {
            Issue.record("not refused")
            return
        }
        #expect(explanation.contains("host `shop.example` is a name of instance `post-cn-stopped01`, which is stopped"))
        let choice = resolver.resolve(userName: "Signature|k|post-cn-other0001", peer: peer("shop.example"))
        guard case .instance(let settings) = choice else {
            Issue.record("refused")
            return
        }
        #expect(settings.number.rawValue == 3)
    }

    private static func names(_ instance: UInt32, _ domains: [String]) -> ServerNameConfiguration {
        ServerNameConfiguration(
            instance: InstanceNumber(rawValue: instance),
            defaultCertificate: "c",
            entries: domains.map { ServerNameConfiguration.Entry(domain: $0, certificateID: "c", password: "") },
        )
    }

    @Test func `the first instance is the first that runs`() {
        let resolver = resolver { contents in
            contents.instances[0].state = .stopped
            contents.instances.reverse()
        }
        guard case .instance(let settings) = resolver.resolve(userName: nil, peer: peer(nil)) else {
            Issue.record("refused")
            return
        }
        #expect(settings.number == ServiceFixture.standard)
        guard case .refused = self.resolver({ $0.instances = [] }).resolve(userName: nil, peer: peer(nil)) else {
            Issue.record("an instance out of nothing")
            return
        }
    }

    @Test(
        arguments: [
            ("Signature|k|post-cn-other0001", nil, "own", nil), ("alice", nil, "own", "listener `own` belongs to it"),
            (
                nil, "Plain-00001.LOCALHOST:8083", "own", "host `Plain-00001.LOCALHOST:8083` names it"
            ),
            (
                "alice", nil, "tcp",
                "the first that runs, as neither user name nor host nor listener names one; another is reached by a "
                    + "listener with `instance: ID` or the host ID.localhost of TLS or WebSocket"
            ),
        ] as [(String?, String?, String, String?)]
    )
    func `why an instance was chosen, and how to reach another`(
        userName: String?,
        host: String?,
        listener: String,
        reason: String?,
    ) {
        #expect(resolver().reason(userName: userName, peer: peer(host, listener: listener)) == reason)
    }

    @Test func `a refusal by a stopped instance names it, for its trace`() {
        let choice = resolver().resolve(userName: "Signature|k|post-cn-stopped01", peer: peer(nil))
        guard case .refused(_, by: let settings) = choice else {
            Issue.record("\(choice)")
            return
        }
        #expect(settings?.number == ServiceFixture.stopped)
        guard case .refused(_, by: nil) = resolver().resolve(userName: "Signature|k|none", peer: peer(nil)) else {
            Issue.record("somebody's")
            return
        }
    }

    @Test func `settings are those of now`() throws {
        let directory = ResourceDirectory(ServiceFixture.contents)
        let resolver = ServiceInstanceResolver(directory: directory)
        #expect(resolver.settings(of: ServiceFixture.apsaramq)?.limits.connections == 100_000)
        var instance = ServiceFixture.instance(ServiceFixture.apsaramq, "post-cn-apus00001", .apsaramq)
        instance.limits.values[.connections] = 5
        directory.apply([.putInstance(instance), .deleteInstance(ServiceFixture.standard)])
        #expect(resolver.settings(of: ServiceFixture.apsaramq)?.limits.connections == 5)
        #expect(resolver.settings(of: ServiceFixture.standard) == nil)
    }
}
