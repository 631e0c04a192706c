internal import ApusLoop
internal import ApusMemory
internal import MQTTCodec

extension Worker {
    /// Unsent bytes of one connection beyond which no message is added.
    private static var outputLimit: Int { 256 * 1024 }

    mutating func beginPublishing(_ start: Int64) {
        activity = .publishing
        isStopped = false
        owed = 0
        unacknowledged = 0
        deadline = plan.duration.map { start + $0.wholeNanoseconds }
        unfinished = publishers.count { !$0.isFinished }
        let threads = min(plan.threads, plan.publishers)
        if let rate = plan.rate, index < threads {
            schedule = RateSchedule(start: start, perSecond: rate, part: index, of: threads)
        } else {
            for position in publishers.indices { makeHungry(position) }
        }
    }

    mutating func stopPublishing() {
        guard case .publishing = activity else { return }
        if let schedule, !isStopped { tally.unsent += schedule.dueCount(at: lastMoment) }
        isStopped = true
        isHeldBack = false
        unfinished = 0
        for position in publishers.indices { publishers[position].total = publishers[position].sent }
    }

    /// Whether everything was sent, answered and delivered.
    var isPublished: Bool { unfinished == 0 && unacknowledged == 0 && owed <= 0 }

    /// Sends what may be sent now.
    mutating func publish() {
        if !isStopped, let deadline, now >= deadline {
            // What was due before belongs to the time.
            if schedule != nil { publishWhatIsDue() }
            stopPublishing()
        }
        if schedule != nil { return publishWhatIsDue() }
        for next in hungry {
            let position = Int(next)
            publishers[position].isHungry = false
            guard let client = publishers[position].client else { continue }
            while maySend(position, client) { send(position, client, due: now) }
        }
        hungry.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    func maySend(_ position: Int, _ client: Int) -> Bool {
        !publishers[position].isFinished && publishers[position].owed < publishers[position].owedLimit
            && (plan.qos == .atMostOnce || !publishers[position].window.isFull)
            && unsentBytes(client) < Self.outputLimit
    }

    /// Now, or the end of the time: what is due after that is not sent.
    private var lastMoment: Int64 { min(now, deadline.map { $0 - 1 } ?? now) }

    private mutating func publishWhatIsDue() {
        for next in hungry { publishers[Int(next)].isHungry = false }
        hungry.removeAll(keepingCapacity: true)
        isHeldBack = false
        let lastMoment = lastMoment
        while unfinished > 0, let next = schedule, next.next <= lastMoment {
            let position = next.taken % publishers.count
            guard let client = publishers[position].client, maySend(position, client) else {
                isHeldBack = true
                return
            }
            guard let due = schedule?.take(at: lastMoment) else { return }
            let lateness = now - due
            if lateness > 1_000_000 { tally.late += 1 }
            tally.greatestLateness = max(tally.greatestLateness, lateness)
            send(position, client, due: due)
        }
    }

    @inline(__always)
    private mutating func send(_ position: Int, _ client: Int, due: Int64) {
        let message = publishers[position].sent
        let publisher = publishers[position].index
        let place = routes.place(publisher: publisher, message: message)
        publishers[position].sent = message &+ 1
        let sequence = place.sequence ?? nextSequence(position, place.stream)
        if plan.qos != .atMostOnce {
            let identifier = publishers[position].window.take()
            body[0] = UInt8(truncatingIfNeeded: identifier &>> 8)
            body[1] = UInt8(truncatingIfNeeded: identifier)
            unacknowledged &+= 1
        }
        if isStamped {
            let stamp = PayloadStamp(
                stream: UInt32(truncatingIfNeeded: place.stream),
                sequence: UInt32(truncatingIfNeeded: sequence),
                nanoseconds: due,
            )
            stamp.write(to: &body, at: payloadOffset)
        }
        if publishers[position].head.isEmpty {
            makeHead(publisher, message)
            Self.append(head, to: client, &clients, &layers, &pool)
        } else {
            Self.append(publishers[position].head, to: client, &clients, &layers, &pool)
        }
        Self.append(body, to: client, &clients, &layers, &pool)
        markDirty(client)
        tally.published &+= 1
        let copies = copies
        if copies > 0 {
            publishers[position].owed &+= copies
            owed &+= copies
        }
        if publishers[position].isFinished { unfinished &-= 1 }
    }

    private mutating func nextSequence(_ position: Int, _ stream: Int) -> Int {
        let target = stream % plan.subscribers
        defer { publishers[position].sequences[target] &+= 1 }
        return Int(publishers[position].sequences[target])
    }

    // MARK: - Packets

    /// Fixed header and topic of one message, in `head`.
    private mutating func makeHead(_ publisher: Int, _ message: Int) {
        scratch.removeAll(keepingCapacity: true)
        routes.appendTopic(publisher: publisher, message: message, to: &scratch)
        head.removeAll(keepingCapacity: true)
        Self.appendHead(scratch, firstByte: firstByte, rest: body.count, to: &head)
    }

    func appendHead(_ topic: [UInt8], to bytes: inout [UInt8]) {
        Self.appendHead(topic, firstByte: firstByte, rest: body.count, to: &bytes)
    }

    private var firstByte: UInt8 {
        PacketType.publish.firstByte | plan.qos.rawValue << 1 | (plan.workload == .retained ? 1 : 0)
    }

    /// - Parameter rest: how many bytes follow the topic.
    private static func appendHead(_ topic: [UInt8], firstByte: UInt8, rest: Int, to bytes: inout [UInt8]) {
        bytes.append(firstByte)
        VariableByteInteger.append(2 + topic.count + rest, to: &bytes)
        bytes.append(UInt8(truncatingIfNeeded: topic.count >> 8))
        bytes.append(UInt8(truncatingIfNeeded: topic.count))
        bytes.append(contentsOf: topic)
    }

    // MARK: - Answers

    mutating func acknowledged(_ view: AcknowledgementView, _ type: PacketType, _ index: Int) throws(DecodeError) {
        let position = clients[index].number
        guard clients[index].role == .publisher else { throw .packetFromWrongSide }
        switch (publishers[position].window.waits(view.packetIdentifier), type) {
        case (.firstAnswer, .pubAck) where plan.qos == .atLeastOnce: break
        case (.firstAnswer, .pubRec) where plan.qos == .exactlyOnce && !view.reasonCode.isError:
            publishers[position].window.received(view.packetIdentifier)
            progress = now
            return answer(.pubRel, view.packetIdentifier, index)
        case (.firstAnswer, .pubRec) where plan.qos == .exactlyOnce: break
        case (.completion, .pubComp): break
        default:
            return lose(index, .protocolViolation("an answer to no message: \(type) \(view.packetIdentifier)"))
        }
        publishers[position].window.complete(view.packetIdentifier)
        unacknowledged &-= 1
        progress = now
        if view.reasonCode.isError {
            tally.refused += 1
            let copies = copies
            publishers[position].owed -= copies
            owed -= copies
        } else {
            tally.acknowledged &+= 1
        }
        makeHungry(position)
    }

    /// QoS 0 may lose messages: after a second without any, those that are still to come are waited for no longer.
    mutating func writeOff() {
        guard effectiveQoS == .atMostOnce, owed > 0, now > progress + 1_000_000_000 else { return }
        tally.writtenOff += owed
        owed = 0
        for position in publishers.indices {
            publishers[position].owed = 0
            makeHungry(position)
        }
        progress = now
    }

    // MARK: - Removing retained messages

    /// Sends empty retained messages as far as there is room, and asks for an answer behind the last.
    mutating func clear() {
        var isDone = true
        for position in publishers.indices {
            guard let client = publishers[position].client else { continue }
            while publishers[position].cleared < publishers[position].sent {
                guard unsentBytes(client) < Self.outputLimit else {
                    isDone = false
                    break
                }
                let message = publishers[position].cleared
                publishers[position].cleared += 1
                scratch.removeAll(keepingCapacity: true)
                routes.appendTopic(publisher: publishers[position].index, message: message, to: &scratch)
                head.removeAll(keepingCapacity: true)
                let rest = plan.version == .v5 ? 1 : 0
                Self.appendHead(scratch, firstByte: PacketType.publish.firstByte | 1, rest: rest, to: &head)
                if rest > 0 { head.append(0) }
                Self.append(head, to: client, &clients, &layers, &pool)
                markDirty(client)
                progress = now
            }
        }
        if isDone { beginPinging() }
    }
}
