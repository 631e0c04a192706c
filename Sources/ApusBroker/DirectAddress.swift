internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import ApusTopics
internal import MQTTCodec

// P2P: a message to `{parent}/p2p/{clientId}` reaches that client without a subscription (apsaramq-facts 3.2).
//
// Every session of an instance that has P2P stands in an index of its own under its address: the client id while it is
// connected, `away/` and the client id while it is not. So a P2P message is matched, stored and routed as any other, and
// no subscription, with wildcards or without, can match it.

/// Where P2P messages to a client go.
enum DirectAddress {
    /// The client id in a P2P topic: the third and last level behind `p2p`; `nil` for other topics.
    static func clientID(in topic: Span<UInt8>) -> Range<Int>? {
        var level = 0
        while level < topic.count, topic[level] != UInt8(ascii: "/") { level += 1 }
        let start = level + 5
        guard level > 0, start < topic.count, topic[level + 1] == UInt8(ascii: "p"),
            topic[level + 2] == UInt8(ascii: "2"), topic[level + 3] == UInt8(ascii: "p"),
            topic[level + 4] == UInt8(ascii: "/")
        else { return nil }
        for index in start..<topic.count where topic[index] == UInt8(ascii: "/") { return nil }
        return start..<topic.count
    }

    /// The address of a session; `nil` for a client id that no topic can name.
    static func filter(_ clientID: String, isConnected: Bool) -> TopicFilter? {
        guard !clientID.utf8.contains(where: { "/+#".utf8.contains($0) }) else { return nil }
        return try? TopicFilter(isConnected ? clientID : away + clientID)
    }

    static let away = "away/"
}

extension Shard {
    /// Enters the session under the address that it has now.
    mutating func enterAddress(_ session: Int) {
        guard tenants[Int(sessions[session].tenant)].policies.p2p else { return }
        let isConnected = sessions[session].isConnected
        guard let filter = DirectAddress.filter(sessions[session].clientID, isConnected: isConnected) else { return }
        let subscriber = Subscriber(
            target: sessions[session].handle.rawValue,
            sessionNumber: sessions[session].isPersistent ? sessions[session].number.rawValue : 0,
            qos: QoS.exactlyOnce.rawValue,
        )
        let addresses = instance(ofSession: session).addresses
        // First the new one: who looks in between must find it somewhere.
        addresses.subscribe(filter, subscriber)
        if let old = DirectAddress.filter(sessions[session].clientID, isConnected: !isConnected) {
            addresses.unsubscribe(old, target: sessions[session].handle.rawValue)
        }
    }

    /// The session is gone.
    mutating func leaveAddress(_ session: Int) {
        for isConnected in [true, false] {
            guard let filter = DirectAddress.filter(sessions[session].clientID, isConnected: isConnected) else {
                return
            }
            instance(ofSession: session).addresses.unsubscribe(filter, target: sessions[session].handle.rawValue)
        }
    }

    /// Whether a P2P message of the session is not to wait for a client that is away (apsaramq-facts 3.1).
    func isDroppedAway(_ qos: QoS, of session: Int) -> Bool {
        !sessions[session].isPersistent
            || (qos == .exactlyOnce && !tenants[Int(sessions[session].tenant)].policies.persistentQoS2)
    }

    /// Who gets a P2P message.
    ///
    /// - Parameter isDroppedAway: whether a client that is away is not to get it later.
    mutating func matchDirect(
        _ tenant: Int,
        _ clientID: Span<UInt8>,
        isDroppedAway: Bool,
    ) -> (match: Match, drop: DropReason?) {
        let addresses = tenants[tenant].instance.addresses
        // Twice, because the client may come between the two looks.
        for _ in 0..<2 {
            let connected = matchCache.match(clientID, in: addresses)
            if !connected.isEmpty { return (connected, nil) }
            var key = Array(DirectAddress.away.utf8)
            key.append(contentsOf: clientID)
            let away = matchCache.match(key.span, in: addresses)
            guard !away.isEmpty else { continue }
            return isDroppedAway ? (.empty, .targetAway) : (away, nil)
        }
        return (.empty, .unknownTarget)
    }
}
