import ApusMemory
import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

/// What a change of an instance does to what lives in it.
@Suite("Changes of an instance", .serialized)
struct InstanceChangeTests {
    private let instances = ScriptedInstances(["A", "B"])

    private func harness(_ shards: Int = 1, authorizer: (any Authorizer)? = nil) -> ShardHarness {
        ShardHarness(shards: shards, authorizer: authorizer, instances: instances)
    }

    private func change(_ harness: ShardHarness, _ change: (inout InstanceSettings) -> Void) {
        instances.change("A", change)
        harness.announceChange(of: .a)
    }

    @Test(arguments: [1, 2])
    func `policies and limits hold for live connections`(shards: Int) {
        let rights = ScriptedRights()
        rights.allowPublishing { _, topic in topic == "t" }
        let harness = harness(shards, authorizer: rights)
        for shard in 0..<shards {
            let client = harness.client(harness.clientID(onShard: shard), expiry: 100, through: "A")
            let other = harness.client(harness.clientID(onShard: shard), expiry: 100, through: "B")
            #expect(client.subscribe("a", qos: .exactlyOnce) == .grantedQoS2)
            change(harness) {
                $0.policies.persistentQoS2 = false
                $0.policies.duplicateClientID = .refuse
                $0.limits.payloadBytes = 3
                $0.limits.subscriptionsPerClient = 1
            }
            #expect(client.subscribe("a", qos: .exactlyOnce) == .implementationSpecificError)
            #expect(client.subscribe("b") == .quotaExceeded)
            let newcomer = harness.connect(harness.clientID(onShard: shard), through: "A")
            #expect(newcomer.takeConnAck()?.reasonCode == .clientIdentifierNotValid)
            client.publish("bad")
            #expect(!client.isClosed)
            change(harness) { $0.policies.onDenied = .close }
            client.publish("t", "123")
            #expect(!client.isClosed)
            client.publish("bad", "123")
            #expect(client.isClosed)
            #expect(!other.isClosed)
            #expect(other.subscribe("b", qos: .exactlyOnce) == .grantedQoS2)
            change(harness) { $0.policies = Policies() }
            change(harness) { $0.limits = InstanceLimits() }
        }
    }

    @Test(arguments: [true, false])
    func `P2P that is switched on or off holds for those who are there already`(hasRights: Bool) {
        let harness = harness(2, authorizer: hasRights ? ScriptedRights() : nil)
        let names = (0..<2).map { harness.clientID(onShard: $0) }
        let targets = names.map { harness.client($0, through: "A") }
        let away = harness.clientID(onShard: 1, "away")
        harness.client(away, expiry: 100, through: "A").disconnect()
        let sender = harness.client("sender", expiry: 100, through: "A")
        let watcher = harness.client("watcher", through: "A")
        watcher.subscribe("t/#")
        for name in names { sender.publish("t/p2p/\(name)", "before") }
        #expect(watcher.takePayloads() == ["before", "before"])
        change(harness) { $0.policies.p2p = true }
        for (name, target) in zip(names, targets) {
            // Twice, because the last topic's answer is remembered.
            for _ in 0..<2 { sender.publish("t/p2p/\(name)", "now") }
            #expect(target.takePayloads() == ["now", "now"])
        }
        sender.publish("t/p2p/\(away)", "kept", qos: .atLeastOnce, id: 1)
        #expect(watcher.takePayloads() == [])
        change(harness) { $0.policies.p2p = false }
        sender.publish("t/p2p/\(names[1])", "after")
        #expect(watcher.takePayloads() == ["after"])
        #expect(targets.flatMap { $0.takePayloads() } == [])
        // Comes and goes unseen in between.
        targets[0].disconnect()
        let back = harness.client(away, clean: false, expiry: 100, through: "A")
        #expect(back.takePayloads() == ["kept"])
        change(harness) { $0.policies.p2p = true }
        sender.publish("t/p2p/\(away)", "again")
        #expect(back.takePayloads() == ["again"])
        sender.publish("t/p2p/\(names[0])", "gone", qos: .atLeastOnce, id: 2)
        #expect(sender.takeAcknowledgements().map(\.reasonCode) == [.success, .noMatchingSubscribers])
    }

    @Test(arguments: [1, 2])
    func `with a deleted instance all of it ends, and nothing of another`(shards: Int) {
        let harness = harness(shards)
        var gone: [ScriptedClient] = []
        var stays: [ScriptedClient] = []
        for shard in 0..<shards {
            for id in ["A", "B"] {
                let away = harness.clientID(onShard: shard, "away")
                let client = harness.client(away, expiry: 100, through: id)
                client.subscribe("t/#", qos: .atLeastOnce)
                client.disconnect()
                let version: ProtocolVersion = shard == 0 ? .v5 : .v3_1_1
                let live = harness.client(
                    harness.clientID(onShard: shard),
                    version,
                    clean: false,
                    expiry: 100,
                    through: id
                )
                live.subscribe("t/#", qos: .atLeastOnce)
                if id == "A" { gone.append(live) } else { stays.append(live) }
            }
        }
        for id in ["A", "B"] { harness.client("p", through: id).publish("t/r", id, retain: true) }
        for client in stays { _ = client.takeAll() }
        instances.delete("A")
        harness.announceChange(of: .a)
        #expect(gone.allSatisfy { $0.isClosed })
        #expect(gone[0].takeDisconnect()?.reasonCode == .administrativeAction)
        #expect(stays.allSatisfy { !$0.isClosed })
        #expect(harness.sessionCount == shards * 2 + 1)
        #expect(harness.broker.instance(.a).retained.count == 0)
        #expect(harness.broker.instance(.b).retained.count == 1)
        #expect(harness.broker.retainedBudget.count == 1)
        #expect(harness.connect("c", through: "A").takeConnAck()?.reasonCode == .notAuthorized)
        harness.client("q", through: "B").publish("t/x", "on", qos: .atLeastOnce, id: 1)
        #expect(stays.allSatisfy { $0.takePayloads() == ["on"] })
    }

    @Test func `of a deleted instance nothing is left, when the last of its connections is gone too`() {
        let harness = harness(2)
        for round in 0..<5 {
            let number = instances.add("N\(round)")
            let through = "N\(round)"
            let away = harness.client(harness.clientID(onShard: 0, "away"), expiry: 100, through: through)
            away.subscribe("t/#", qos: .atLeastOnce)
            away.disconnect()
            let live = harness.client(harness.clientID(onShard: 1, "live"), through: through)
            live.publish("t/r", "kept", qos: .atLeastOnce, id: 1, retain: true)
            instances.delete(through)
            harness.announceChange(of: number)
            #expect(live.isClosed)
            #expect(!harness.broker.liveInstances.contains { $0.number == number })
            for shard in 0..<2 {
                #expect(harness.shards[shard].tenantsByNumber[number] == nil)
                #expect(harness.shards[shard].tenants.count <= 3)
            }
            // Said again, nothing more happens.
            harness.announceChange(of: number)
        }
        // The next one takes the place and works.
        _ = instances.add("last")
        let client = harness.client("c", through: "last")
        client.subscribe("t")
        client.publish("t", "on")
        #expect(client.takePayloads() == ["on"])
    }

    @Test func `retained messages go even if the first shard never met the instance`() {
        let harness = harness(2)
        let client = harness.client(harness.clientID(onShard: 1), onShard: 1, through: "A")
        client.publish("r", retain: true)
        #expect(harness.broker.instance(.a).retained.count == 1)
        instances.delete("A")
        harness.announceChange(of: .a)
        #expect(harness.broker.instance(.a).retained.count == 0)
    }

    @Test(arguments: [0, 5] as [UInt32])
    func `the wills of a deleted instance are not published, and leave nothing retained`(delay: UInt32) {
        let harness = harness(2)
        let dead = harness.client(harness.clientID(onShard: 0, "dead"), expiry: 100, through: "A") {
            $0.will = Will(topic: "w", payload: [1], qos: .atMostOnce, retain: true, willDelayInterval: 50)
        }
        dead.lose()
        for shard in 0..<2 {
            _ = harness.client(harness.clientID(onShard: shard), expiry: 100, through: "A") {
                $0.will = Will(topic: "w", payload: [1], qos: .atMostOnce, retain: true, willDelayInterval: delay)
            }
        }
        let watcher = harness.client("watcher", through: "A")
        watcher.subscribe("w")
        instances.delete("A")
        harness.announceChange(of: .a)
        harness.advance(seconds: 200)
        #expect(watcher.takePayloads() == [])
        #expect(harness.broker.instance(.a).retained.count == 0)
        #expect(harness.sessionCount == 0)
    }

    @Test func `who is just being authenticated does not get into an instance that is gone`() {
        let authenticator = AnswersLater()
        let harness = ShardHarness(authenticator: authenticator, instances: instances)
        let client = harness.connect("c", through: "A")
        #expect(authenticator.waitingCount == 1)
        instances.delete("A")
        harness.announceChange(of: .a)
        authenticator.acceptAll()
        harness.settle()
        #expect(client.takeConnAck()?.reasonCode.isError == true)
        #expect(client.isClosed)
        #expect(harness.sessionCount == 0)
    }

    @Test func `what a deleted instance has in the log is gone after a restart`() throws {
        let broker = try DurableBroker(shards: 2, instances: instances)
        for id in ["A", "B"] {
            for shard in 0..<2 {
                let client = broker.client(broker.harness.clientID(onShard: shard), expiry: 1000, through: id)
                client.subscribe("t", qos: .atLeastOnce)
                broker.commit()
                client.disconnect()
            }
            let publisher = broker.client("p", through: id)
            publisher.publish("t", "m", qos: .atLeastOnce, id: 1, retain: true)
            broker.commit()
            publisher.disconnect()
        }
        instances.delete("A")
        broker.harness.announceChange(of: .a)
        try broker.restart()
        #expect(broker.harness.sessionCount == 2)
        #expect(broker.harness.broker.retainedBudget.count == 1)
        let name = broker.harness.clientID(onShard: 1)
        let client = broker.client(name, clean: false, expiry: 1000, through: "B")
        #expect(client.connAck?.sessionPresent == true)
        #expect(client.takePayloads() == ["m"])
    }

    @Test func `what the log still has of a deleted instance ends when that is said again`() throws {
        let broker = try DurableBroker(shards: 2, instances: instances)
        for shard in 0..<2 {
            let client = broker.client(broker.harness.clientID(onShard: shard), expiry: 1000, through: "A") {
                $0.will = Will(topic: "w", payload: [1], qos: .atLeastOnce, retain: true, willDelayInterval: 5)
            }
            client.publish("r", "m", qos: .atLeastOnce, id: 1, retain: true)
            broker.commit()
            if shard == 0 { client.lose() }
        }
        broker.commit()
        instances.delete("A")
        try broker.restart()
        broker.harness.announceChange(of: .a)
        #expect(broker.harness.sessionCount == 0)
        #expect(broker.harness.broker.retainedBudget.count == 0)
        broker.advance(seconds: 10)
        try broker.restart()
        #expect(broker.foundRetained == 0)
        #expect(broker.harness.sessionCount == 0)
    }

    @Test func `a change of an instance that nobody met is nothing`() {
        let harness = harness(2)
        harness.announceChange(of: InstanceNumber(rawValue: 99))
        instances.delete("B")
        harness.announceChange(of: .b)
        #expect(harness.client("c", through: "A").connAck?.reasonCode == .success)
    }
}
