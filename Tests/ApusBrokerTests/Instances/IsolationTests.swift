import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

/// Nothing crosses from one instance to another (design, section 1).
@Suite("Instances do not see each other", .serialized)
struct IsolationTests {
    private func harness(_ shards: Int, _ profile: Profile = .standard) -> ShardHarness {
        ShardHarness(shards: shards, instances: ScriptedInstances(["A", "B"], policies: Policies(profile)))
    }

    /// The same client ids in both, half of them on each shard.
    private func names(_ harness: ShardHarness, _ shards: Int) -> [String] {
        (0..<shards).map { harness.clientID(onShard: $0, "dev") }
    }

    @Test(arguments: [1, 2])
    func `a message reaches only subscribers of its own instance, with and without wildcards`(shards: Int) {
        let harness = harness(shards)
        for (mine, other) in [("A", "B"), ("B", "A")] {
            var insiders: [ScriptedClient] = []
            var outsiders: [ScriptedClient] = []
            for name in names(harness, shards) {
                for filter in ["t/x", "t/#", "#", "+/+"] {
                    insiders.append(harness.client("\(name) \(filter) \(mine)", through: mine))
                    outsiders.append(harness.client("\(name) \(filter) \(mine)", through: other))
                    #expect(insiders.last?.subscribe(filter, qos: .exactlyOnce) == .grantedQoS2)
                    #expect(outsiders.last?.subscribe(filter, qos: .exactlyOnce) == .grantedQoS2)
                }
            }
            let publisher = harness.client("publisher", through: mine)
            for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
                publisher.publish("t/x", "of \(mine)", qos: qos, id: qos == .atMostOnce ? 0 : 1 + qos.rawValue.id)
                for client in insiders { #expect(client.takePayloads() == ["of \(mine)"]) }
                for client in outsiders { #expect(client.takePayloads() == []) }
            }
            for client in insiders + outsiders + [publisher] { client.disconnect() }
        }
    }

    @Test func `who publishes where only the other instance subscribes is told that nobody does`() {
        let harness = harness(1)
        harness.client("s", through: "A").subscribe("t")
        let publisher = harness.client("p", through: "B")
        publisher.publish("t", qos: .atLeastOnce, id: 1)
        #expect(publisher.takeAcknowledgements().map(\.reasonCode) == [.noMatchingSubscribers])
    }

    @Test func `the user name's third part says the instance, before the listener does`() {
        let harness = harness(1)
        let watcher = harness.client("w", through: "B")
        watcher.subscribe("#")
        let publisher = harness.client("p", through: "A") { $0.userName = "Signature|key|B" }
        publisher.publish("t")
        #expect(watcher.takePayloads() == ["x"])
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5])
    func `a CONNECT for an instance that is not there is refused, and the log says which`(version: ProtocolVersion) {
        let harness = harness(1)
        let client = harness.connect("c", version, through: "C")
        #expect(client.takeConnAck()?.reasonCode == .notAuthorized)
        #expect(client.isClosed)
        #expect(harness.events.fields(of: "client.refused").first?["explanation"] == "there is no instance `C`")
    }

    @Test(arguments: [1, 2])
    func `one client id is two clients`(shards: Int) {
        let harness = harness(shards)
        for name in names(harness, shards) {
            let first = harness.client(name, expiry: 100, through: "A") { $0.userName = "alice" }
            first.subscribe("of/a", qos: .atLeastOnce)
            let second = harness.client(name, clean: false, expiry: 100, through: "B") { $0.userName = "bob" }
            #expect(second.connAck?.reasonCode == .success)
            #expect(second.connAck?.sessionPresent == false)
            #expect(!first.isClosed)
            let third = harness.client(name, clean: false, expiry: 100, through: "A") { $0.userName = "alice" }
            #expect(third.connAck?.sessionPresent == true)
            #expect(first.takeDisconnect()?.reasonCode == .sessionTakenOver)
            #expect(!second.isClosed)
            second.disconnect()
            #expect(!third.isClosed)
            // The session of the other instance's client has nothing of this one's.
            third.disconnect()
            harness.client("p", through: "B").publish("of/a", "wrong", qos: .atLeastOnce, id: 1)
            harness.client("p", through: "A").publish("of/a", "right", qos: .atLeastOnce, id: 1)
            let back = harness.client(name, clean: false, expiry: 100, through: "A") { $0.userName = "alice" }
            #expect(back.takePayloads() == ["right"])
            let other = harness.client(name, clean: false, expiry: 100, through: "B") { $0.userName = "bob" }
            #expect(other.connAck?.sessionPresent == true)
            #expect(other.takePayloads() == [])
        }
    }

    @Test(arguments: [1, 2])
    func `members of one shared subscription are those of one instance`(shards: Int) {
        let harness = harness(shards)
        var members: [String: [ScriptedClient]] = [:]
        for id in ["A", "B"] {
            for name in names(harness, shards) {
                let client = harness.client(name, through: id)
                client.subscribe("$share/g/t", qos: .atLeastOnce)
                members[id, default: []].append(client)
            }
        }
        let publisher = harness.client("p", through: "A")
        for count in 0..<6 { publisher.publish("t", "\(count)", qos: .atLeastOnce, id: UInt16(count) + 1) }
        #expect(members["A"]?.flatMap { $0.takePayloads() }.count == 6)
        #expect(members["B"]?.flatMap { $0.takePayloads() } == [])
        // What a member leaves goes to the others of its instance, or nobody.
        for client in members["A"] ?? [] { client.lose() }
        #expect(members["B"]?.flatMap { $0.takePayloads() } == [])
        publisher.publish("t", "late", qos: .atLeastOnce, id: 9)
        #expect(members["B"]?.flatMap { $0.takePayloads() } == [])
    }

    @Test(arguments: [1, 2])
    func `retained messages of one topic are two`(shards: Int) {
        let harness = harness(shards)
        harness.client("p", through: "A").publish("r/t", "of A", retain: true)
        let name = names(harness, shards).last ?? "dev"
        let other = harness.client(name, through: "B")
        for filter in ["r/t", "r/+", "#"] { other.subscribe(filter) }
        #expect(other.takePayloads() == [])
        harness.client("p", through: "B").publish("r/t", "of B", retain: true)
        _ = other.takePayloads()
        // An empty one removes its own instance's only.
        harness.client("q", through: "B").publish("r/t", "", retain: true)
        let own = harness.client(name, through: "A")
        own.subscribe("#")
        #expect(own.takePayloads() == ["of A"])
        _ = other.takePayloads()
        let fresh = harness.client("fresh", through: "B")
        fresh.subscribe("#")
        #expect(fresh.takePayloads() == [])
    }

    @Test(arguments: [1, 2])
    func `a will stays in its instance, at once and delayed, retained and not`(shards: Int) {
        let harness = harness(shards)
        let inside = harness.client("inside", through: "A")
        let outside = harness.client("outside", through: "B")
        for client in [inside, outside] { client.subscribe("#") }
        for name in names(harness, shards) {
            for delay: UInt32 in [0, 5] {
                let client = harness.client(name, expiry: 10, through: "A") {
                    $0.will = Will(
                        topic: "w",
                        payload: [0x77],
                        qos: .atMostOnce,
                        retain: true,
                        willDelayInterval: delay
                    )
                }
                client.lose()
                harness.advance(seconds: 6)
                #expect(inside.takePayloads() == ["w"])
                #expect(outside.takePayloads() == [])
            }
        }
        let late = harness.client("late", through: "B")
        late.subscribe("#")
        #expect(late.takePayloads() == [])
    }

    @Test(arguments: [1, 2])
    func `a P2P message reaches the client of that id in its own instance only`(shards: Int) {
        let harness = harness(shards, .apsaramq)
        for name in names(harness, shards) {
            let own = harness.client(name, through: "A")
            let other = harness.client(name, through: "B")
            other.subscribe("#")
            let sender = harness.client("sender", through: "A")
            sender.publish("t/p2p/\(name)", "psst", qos: .atLeastOnce, id: 1)
            #expect(own.takePayloads() == ["psst"])
            #expect(other.takePayloads() == [])
            own.disconnect()
            sender.publish("t/p2p/\(name)", "psst", qos: .atLeastOnce, id: 2)
            #expect(other.takePayloads() == [])
            #expect(sender.takeAcknowledgements().map(\.reasonCode) == [.success, .noMatchingSubscribers])
            for client in [sender, other] { client.disconnect() }
        }
    }

    @Test(arguments: [1, 2])
    func `clients, sessions and rights of one instance end alone`(shards: Int) {
        let rights = ScriptedRights()
        let harness = ShardHarness(shards: shards, authorizer: rights, instances: ScriptedInstances(["A", "B"]))
        for name in names(harness, shards) {
            let own = harness.client(name, expiry: 100, through: "A")
            let other = harness.client(name, expiry: 100, through: "B")
            for client in [own, other] { client.subscribe("t") }
            rights.allowSubscribing { _, _ in false }
            harness.broker.postToAll(.rightsChanged(.a))
            harness.settle()
            harness.client("p", through: "A").publish("t")
            harness.client("p", through: "B").publish("t")
            #expect(own.takePayloads() == [])
            #expect(other.takePayloads() == ["x"])
            rights.allowSubscribing { _, _ in true }
            harness.broker.postToAll(
                .end(.a, clientID: name, .administrativeAction, explanation: "kicked", endsSession: true)
            )
            harness.settle()
            #expect(own.isClosed && !other.isClosed)
            other.disconnect()
        }
        #expect(harness.sessionCount == names(harness, shards).count + 2)
    }

    @Test(arguments: [1, 2])
    func `statistics of the process are for no instance of a catalog`(shards: Int) {
        let harness = ShardHarness(shards: shards, instances: ScriptedInstances(["A"])) { $0.statisticsSeconds = 1 }
        let client = harness.client("c", through: "A")
        client.subscribe("$SYS/#")
        harness.advance(seconds: 3)
        #expect(client.takePayloads() == [])
    }

    @Test(arguments: [1, 2])
    func `after a restart each session and retained message is its instance's`(shards: Int) throws {
        let broker = try DurableBroker(
            shards: shards,
            instances: ScriptedInstances(["A", "B"], policies: Policies(.apsaramq))
        )
        let names = names(broker.harness, shards)
        for name in names {
            for id in ["A", "B"] {
                let client = broker.client(name, expiry: 1000, through: id)
                client.subscribe("t", qos: .atLeastOnce)
                client.subscribe("$share/g/s", qos: .atLeastOnce)
                broker.commit()
                client.disconnect()
            }
        }
        for id in ["A", "B"] {
            let publisher = broker.client("p", expiry: 1000, through: id)
            publisher.publish("t", "t of \(id)", qos: .atLeastOnce, id: 1)
            publisher.publish("r", "r of \(id)", qos: .atLeastOnce, id: 2, retain: true)
            for name in names { publisher.publish("t/p2p/\(name)", "p2p of \(id)", qos: .atLeastOnce, id: 3) }
            broker.commit()
            publisher.disconnect()
        }
        try broker.restart()
        var back: [(id: String, client: ScriptedClient)] = []
        for id in ["A", "B"] {
            for name in names {
                let client = broker.client(name, clean: false, expiry: 1000, through: id)
                back.append((id, client))
                #expect(client.connAck?.sessionPresent == true)
                #expect(client.takePayloads() == ["t of \(id)", "p2p of \(id)"])
                client.subscribe("#")
                broker.commit()
                #expect(client.takePayloads() == ["r of \(id)"])
            }
        }
        // And what comes now, too.
        let publisher = broker.client("q", through: "B")
        publisher.publish("t", "new", qos: .atLeastOnce, id: 1)
        publisher.publish("s", "shared", qos: .atLeastOnce, id: 2)
        broker.commit()
        #expect(broker.harness.dropped(.unreadable) == 0)
        var shared = 0
        for (id, client) in back {
            let payloads = client.takePayloads()
            #expect(payloads.contains("new") == (id == "B"))
            #expect(id == "B" || !payloads.contains("shared"))
            shared += payloads.count { $0 == "shared" }
        }
        // Once for `#` of each, once for the group.
        #expect(shared == shards + 1)
    }

    @Test func `after a restart a delayed will is published in its instance only`() throws {
        let broker = try DurableBroker(instances: ScriptedInstances(["A", "B"]))
        let client = broker.client("c", expiry: 1000, through: "B") {
            $0.will = Will(topic: "w", payload: [0x77], qos: .atLeastOnce, retain: true, willDelayInterval: 60)
        }
        client.lose()
        try broker.restart()
        let watchers = ["A", "B"].map { id in broker.client("watcher", through: id) }
        for watcher in watchers { watcher.subscribe("#") }
        broker.advance(seconds: 61)
        #expect(watchers.map { $0.takePayloads() } == [[], ["w"]])
        try broker.restart()
        let late = ["A", "B"].map { id in broker.client("late", through: id) }
        for client in late { client.subscribe("#") }
        #expect(late.map { $0.takePayloads() } == [[], ["w"]])
    }
}

extension UInt8 {
    /// As a packet identifier.
    fileprivate var id: PacketIdentifier { PacketIdentifier(self) }
}
