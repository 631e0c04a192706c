import ApusMemory
import ApusMessage
import MQTTCodec

@testable import ApusBroker

// What may happen in a step.

extension World {
    private static let topics = ["t/0", "t/1", "t/2"]
    private static let filters = ["#", "t/+", "t/0", "t/1", "$share/g/t/+", "$share/g/t/0"]

    /// Begins with all core clients subscribed, then lets chance rule.
    func run() {
        for client in clients where client.isCore { open(client) }
        settle()
        for client in clients where client.isCore { client.subscribe("#", .exactlyOnce) }
        settle()
        for _ in 0..<scenario.steps where failures.isEmpty { step() }
    }

    private func step() {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30:
            if let client = clients.randomElement(using: &random) { act(client) }
        case 30..<50:
            if let link = links.randomElement(using: &random) {
                read(link, limit: .random(in: 1...400, using: &random))
            }
        case 50..<68:
            if let link = links.randomElement(using: &random) {
                flush(link, limit: .random(in: 0...300, using: &random))
            }
        case 68..<82:
            if let client = clients.randomElement(using: &random) {
                readClient(client, limit: .random(in: 1...500, using: &random))
            }
        case 82..<84 where log != nil:
            if chance(12) { crash() } else { commit(.random(in: 1...4, using: &random)) }
        case 82..<90:
            post(from: .random(in: 0..<shards.count, using: &random))
            openMail(of: .random(in: 0..<shards.count, using: &random))
        case 90..<93:
            if authenticator.waitingCount > 0 {
                authenticator.answer(.random(in: 0..<authenticator.waitingCount, using: &random))
            }
        case 93..<96:
            // The broker notices that a client has gone, or the network breaks what both think is well.
            if let link = links.randomElement(using: &random), link.isLeftByClient || chance(5) {
                close(link, .peerClosed)
            }
        default:
            pass(milliseconds: .random(in: 0...1_500, using: &random))
        }
    }

    private func act(_ client: SimulatedClient) {
        switch client.phase {
        case .offline:
            if chance(3) { open(client) }
        case .connecting:
            if chance(40) { client.leave() }
        case .connected:
            actConnected(client)
        }
    }

    private func actConnected(_ client: SimulatedClient) {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<40:
            publish(client)
        case 40..<80:
            if !client.owed.isEmpty { client.acknowledge(.random(in: 0..<client.owed.count, using: &random)) }
        case 80..<88:
            let filter = Self.filters.randomElement(using: &random) ?? "#"
            // A core client keeps "#" at QoS 2; what overlaps it must change nothing.
            if client.isCore {
                if !filter.hasPrefix("$"), filter != "#" { client.subscribe(filter, .atLeastOnce) }
            } else if chance(3) {
                client.unsubscribe(filter)
            } else {
                client.subscribe(filter, QoS.allCases.randomElement(using: &random) ?? .atMostOnce)
            }
        case 88..<92:
            client.send(.pingReq)
        case 92..<95:
            client.send(.disconnect(Disconnect()))
            client.leave()
        case 95..<98:
            client.leave()
        default:
            break
        }
    }

    private func publish(_ client: SimulatedClient) {
        guard client.outgoing.count < 8 else { return }
        let published = Published(
            publisher: client.index,
            topic: Self.topics.randomElement(using: &random) ?? "t/0",
            qos: QoS.allCases.randomElement(using: &random) ?? .atMostOnce,
        )
        messages.append(published)
        client.publish(messages.count - 1, published)
    }

    // MARK: - Quiet

    /// Lets everything that is on its way arrive, with all clients connected.
    func settle() {
        for _ in 0..<400 {
            for client in clients where client.phase == .offline && (client.isCore || !messages.isEmpty) {
                open(client)
            }
            if turn() == false { return }
        }
        failures.append("the broker does not come to rest")
    }

    /// One round in which everybody does all that he can.
    ///
    /// - Returns: whether anything happened.
    private func turn() -> Bool {
        var isBusy = false
        while authenticator.waitingCount > 0 {
            authenticator.answer(0)
            isBusy = true
        }
        for link in links where link.isLeftByClient { close(link, .peerClosed) }
        for link in links where !link.isReadingBlocked && !link.toBroker.isEmpty {
            read(link, limit: .max)
            isBusy = true
        }
        for shard in 0..<shards.count { post(from: shard) }
        while !mail.isEmpty {
            for shard in 0..<shards.count { openMail(of: shard) }
            for shard in 0..<shards.count { post(from: shard) }
            isBusy = true
        }
        if let log, log.uncommittedCount > 0 {
            commit(log.uncommittedCount)
            isBusy = true
        }
        for link in links where link.isDirty {
            flush(link, limit: .max)
            isBusy = true
        }
        for client in clients {
            let hasInput = client.link.map { !$0.toClient.isEmpty || $0.isClosedByBroker } ?? false
            readClient(client, limit: .max)
            if hasInput || !client.owed.isEmpty { isBusy = true }
            while client.phase == .connected, !client.owed.isEmpty { client.acknowledge(0) }
        }
        if !isBusy {
            // A pause that nobody lifts and output that nobody was told of would be hangs.
            if links.contains(where: { $0.isReadingBlocked }) { failures.append("a connection stays paused") }
            for link in links where shards[link.shard].withOutput(link.slot, { queue, _ in queue.count }) > 0 {
                failures.append("output of which the loop was not told")
            }
        }
        return isBusy
    }
}
