internal import ApusLoop
internal import ApusMemory
internal import MQTTCodec

extension Worker {
    /// Takes one packet of the broker.
    @inline(__always)
    mutating func take(_ bytes: Span<UInt8>, _ frame: Frame, _ index: Int) throws(DecodeError) {
        switch frame.type {
        case .publish: try takePublish(bytes, frame, index)
        case .pubAck, .pubRec, .pubComp:
            let view = try AcknowledgementView.decode(bytes, frame: frame, version: plan.version)
            if view.reasonCode.isError { try noteRefusal(bytes, frame, index) }
            try acknowledged(view, frame.type, index)
        case .pubRel:
            let view = try AcknowledgementView.decode(bytes, frame: frame, version: plan.version)
            if clients[index].role == .subscriber {
                subscribers[clients[index].number].received.remove(view.packetIdentifier)
            }
            answer(.pubComp, view.packetIdentifier, index)
        default: try takeOther(bytes, frame, index)
        }
    }

    private mutating func takeOther(_ bytes: Span<UInt8>, _ frame: Frame, _ index: Int) throws(DecodeError) {
        switch try Packet.decode(bytes, frame: frame, version: plan.version, sender: .server) {
        case .connAck(let packet) where clients[index].phase == .awaitingConnAck: accepted(packet, index)
        case .subAck(let packet): subscribed(packet, index)
        case .pingResp:
            pongs += 1
            progress = now
        case .disconnect(let packet):
            lose(index, .disconnected(packet.reasonCode, anonymous(packet.reasonString, index)))
        default: lose(index, .protocolViolation("the broker sent \(frame.type), which nobody waits for"))
        }
    }

    private mutating func noteRefusal(_ bytes: Span<UInt8>, _ frame: Frame, _ index: Int) throws(DecodeError) {
        let packet = try Packet.decode(bytes, frame: frame, version: plan.version, sender: .server)
        guard case .acknowledgement(let answer) = packet else { return }
        tally.add(.publishRefused(answer.reasonCode, anonymous(answer.reasonString, index)))
    }

    @inline(__always)
    private mutating func takePublish(_ bytes: Span<UInt8>, _ frame: Frame, _ index: Int) throws(DecodeError) {
        let view = try PublishView.decode(bytes, frame: frame, version: plan.version, sender: .server)
        guard clients[index].role == .subscriber else {
            tally.misrouted += 1
            return
        }
        let number = clients[index].number
        if view.qos < effectiveQoS, !onlyCounts { tally.downgraded += 1 }
        switch view.qos {
        case .atMostOnce: break
        case .atLeastOnce: answer(.pubAck, view.packetIdentifier, index)
        case .exactlyOnce:
            answer(.pubRec, view.packetIdentifier, index)
            // A repetition inside of the exchange is no second delivery.
            guard subscribers[number].received.insert(view.packetIdentifier) else { return }
        }
        guard !onlyCounts else {
            tally.delivered &+= 1
            tally.lastDelivery = now
            progress = now
            return
        }
        guard let stamp = PayloadStamp(bytes, view.payload, byteCount: plan.payloadBytes) else {
            tally.damaged += 1
            return
        }
        verify(stamp, number, isRetained: view.retain)
    }

    @inline(__always)
    private mutating func verify(_ stamp: PayloadStamp, _ number: Int, isRetained: Bool) {
        guard let stream = routes.position(of: Int(stamp.stream), at: subscribers[number].index) else {
            let subscriber = subscribers[number].index
            tally.misrouted += 1
            tally.addExample(
                "subscriber \(subscriber): message \(stamp.sequence) of stream \(stamp.stream) is not for it"
            )
            return
        }
        let tracker = subscribers[number].firstTracker &+ stream
        switch trackers[tracker].take(stamp.sequence, window: trackingWindow) {
        case .next: break
        case .late: if isOrdered { noteDisorder(stamp, number) }
        case .repeated:
            tally.repeated += 1
            let subscriber = subscribers[number].index
            tally.addExample("subscriber \(subscriber): message \(stamp.sequence) of stream \(stamp.stream) came twice")
            return
        }
        if plan.workload == .retained, !isRetained { tally.notRetained += 1 }
        tally.delivered &+= 1
        tally.lastDelivery = now
        progress = now
        latency.record(now &- stamp.nanoseconds)
        if copies > 0 { credit(routes.publisher(of: Int(stamp.stream))) }
    }

    private mutating func noteDisorder(_ stamp: PayloadStamp, _ number: Int) {
        tally.misordered += 1
        let subscriber = subscribers[number].index
        tally.addExample(
            "subscriber \(subscriber): message \(stamp.sequence) of stream \(stamp.stream) came behind a later one"
        )
    }
}
