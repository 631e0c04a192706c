internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import ApusTopics
internal import MQTTCodec

// What goes to and comes from other shards and other threads.

extension Shard {
    /// Mail for another shard, gathered since the last call; the loop asks at the end of each tick until there is none.
    package mutating func takeOutgoing(for shard: Int) -> ShardMail? {
        if !outgoing[shard].isEmpty {
            var batch = PublicationBatch(after: outgoing[shard])
            swap(&batch, &outgoing[shard])
            batch.readAt = tick.start
            broker.mailPressure[shard].posted(batch.footprint)
            return .publications(batch)
        }
        guard !outgoingHandOvers[shard].isEmpty else { return nil }
        var handOvers: [HandOver] = []
        swap(&handOvers, &outgoingHandOvers[shard])
        return .handOver(handOvers)
    }

    package mutating func receive(_ mail: ShardMail) {
        switch mail {
        case .publications(let batch): receive(batch)
        case .authenticated(let slot, let generation, let outcome): authenticated(slot, generation: generation, outcome)
        case .relieved: resumePaused()
        case .rightsChanged(let instance):
            checkStanding(of: instance)
            endForbiddenSubscriptions(of: instance)
        case .instanceChanged(let instance): instanceChanged(instance)
        case .limits(let new): limits = new
        case .store(let notice): receive(notice)
        case .call(let call): call.body(&self)
        case .handOver(let handOvers): for handOver in handOvers { receiveHandOver(handOver) }
        case .end(let instance, let clientID, let reasonCode, let explanation, let endsSession):
            end(SessionKey(instance, clientID), reasonCode, explanation, endsSession: endsSession)
        }
    }

    private mutating func receive(_ batch: PublicationBatch) {
        cameFromOtherShard(batch.readAt)
        let batchBytes = batch.bytes
        var match = Match.empty
        var place = -1
        for entry in batch.entries {
            if !entry.isForMember, place != Int(entry.recipients) {
                place = Int(entry.recipients)
                match = batch.matches[place]
            }
            if entry.message >= 0 {
                let message = batch.messages[Int(entry.message)]
                let bytes = message.bytes
                deliver(entry, match, of: batch, bytes.span, from: 0, KeptMessage(message))
            } else {
                deliver(entry, match, of: batch, batchBytes.span, from: entry.start, KeptMessage())
            }
        }
        guard broker.mailPressure[index].delivered(batch.footprint, bound: limits.shardBacklogBytes) else { return }
        for other in 0..<broker.configuration.shardCount where other != index { broker.post(to: other, .relieved) }
    }

    private mutating func deliver(
        _ entry: PublicationBatch.Entry,
        _ match: Match,
        of batch: PublicationBatch,
        _ bytes: Span<UInt8>,
        from start: Int,
        _ message: KeptMessage,
    ) {
        var kept = message
        let topicEnd = start + entry.topicCount
        let propertiesEnd = topicEnd + entry.propertiesCount
        let topic = bytes.extracting(start..<topicEnd)
        let properties = bytes.extracting(topicEnd..<propertiesEnd)
        let payload = bytes.extracting(propertiesEnd..<propertiesEnd + entry.payloadCount)
        guard !entry.isForMember else {
            shapes.begin(receivers: 1)
            let member = batch.members[Int(entry.recipients)]
            return deliver(
                entry.publication,
                toMember: member.subscriber,
                of: member.group,
                topic: topic,
                properties: properties,
                payload: payload,
                &kept,
            )
        }
        let range = match.range(ofShard: index)
        shapes.begin(receivers: range.count)
        deliver(
            entry.publication,
            match,
            range,
            topic: topic,
            properties: properties,
            payload: payload,
            &kept,
        )
    }

    /// An operator ends a connection, or a whole session.
    private mutating func end(_ key: SessionKey, _ reasonCode: ReasonCode, _ explanation: String, endsSession: Bool) {
        guard let session = self.session(key) else { return }
        if endsSession { changeExpiry(session, seconds: 0) }
        if sessions[session].isConnected {
            disconnect(Int(sessions[session].connection), reasonCode, explanation)
        } else if endsSession {
            endSession(session, .administrative)
        }
    }
}
