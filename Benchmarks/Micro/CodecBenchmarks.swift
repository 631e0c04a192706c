internal import CMeasure
internal import MQTTCodec

/// Decoding what clients send: the frame found and the packet taken apart, as the broker does it.
func benchmarkDecoder(_ meter: Meter) throws {
    for version in [ProtocolVersion.v3_1_1, .v5] {
        for qos in [QoS.atMostOnce, .atLeastOnce] {
            let bytes = packet(publish(qos), version)
            try meter.measure("decoder", "PUBLISH in place, MQTT \(version.text), QoS \(qos.rawValue), 256 bytes") {
                count in
                for _ in 0..<count {
                    let span = bytes.span
                    let frame = try frame(span)
                    let view = try PublishView.decode(span, frame: frame, version: version, sender: .client)
                    measure_keep(UInt64(truncatingIfNeeded: view.payload.lowerBound))
                }
            }
        }
        try measureDecoding(meter, "CONNECT with user and password", connect(version), version)
        try measureDecoding(meter, "SUBSCRIBE to 8 filters", subscribe, version)
        let answer = packet(acknowledgement, version)
        try meter.measure("decoder", "PUBACK in place, MQTT \(version.text)") { count in
            for _ in 0..<count {
                let span = answer.span
                let view = try AcknowledgementView.decode(span, frame: try frame(span), version: version)
                measure_keep(UInt64(view.packetIdentifier))
            }
        }
    }
}

private func measureDecoding(_ meter: Meter, _ name: String, _ wanted: Packet, _ version: ProtocolVersion) throws {
    let bytes = packet(wanted, version)
    try meter.measure("decoder", "\(name), MQTT \(version.text)") { count in
        for _ in 0..<count {
            let span = bytes.span
            let packet = try Packet.decode(span, frame: try frame(span), version: version, sender: .client)
            measure_keep(UInt64(packet.type.rawValue))
        }
    }
}

/// Encoding what clients get.
func benchmarkEncoder(_ meter: Meter) {
    let topic = Array(topicName.utf8)
    let payload = [UInt8](repeating: 7, count: 256)
    var out: [UInt8] = []
    out.reserveCapacity(4096)
    for version in [ProtocolVersion.v3_1_1, .v5] {
        for qos in [QoS.atMostOnce, .atLeastOnce] {
            meter.measure("encoder", "PUBLISH, MQTT \(version.text), QoS \(qos.rawValue), 256 bytes") { count in
                for number in 0..<count {
                    out.removeAll(keepingCapacity: true)
                    PublishEncoder.appendHeader(
                        to: &out,
                        version: version,
                        dup: false,
                        qos: qos,
                        retain: false,
                        packetIdentifier: UInt16(truncatingIfNeeded: number | 1),
                        topic: topic.span,
                        topicAlias: 0,
                        messageExpiryInterval: nil,
                        subscriptionIdentifiers: (0, []),
                        forwardableProperties: Span(),
                        payloadCount: payload.count,
                    )
                    out.append(contentsOf: payload)
                    measure_keep(UInt64(out.count))
                }
            }
        }
        meter.measure("encoder", "PUBACK, MQTT \(version.text)") { count in
            for number in 0..<count {
                out.removeAll(keepingCapacity: true)
                AcknowledgementEncoder.append(
                    to: &out,
                    type: .pubAck,
                    packetIdentifier: UInt16(truncatingIfNeeded: number | 1),
                    version: version,
                )
                measure_keep(UInt64(out.count))
            }
        }
        let accepted = Packet.connAck(ConnAck(sessionPresent: false, reasonCode: .success))
        meter.measure("encoder", "CONNACK, MQTT \(version.text)") { count in
            for _ in 0..<count {
                out.removeAll(keepingCapacity: true)
                accepted.encode(into: &out, version: version)
                measure_keep(UInt64(out.count))
            }
        }
    }
}

// MARK: - Packets

extension ProtocolVersion {
    fileprivate var text: String { self == .v5 ? "5.0" : "3.1.1" }
}

private let topicName = "fleet/7/device/1234/state"

private func publish(_ qos: QoS) -> Packet {
    .publish(
        Publish(
            topic: topicName,
            payload: [UInt8](repeating: 7, count: 256),
            qos: qos,
            packetIdentifier: qos == .atMostOnce ? 0 : 5,
        )
    )
}

private func connect(_ version: ProtocolVersion) -> Packet {
    .connect(
        Connect(
            version: version,
            clientIdentifier: "device-1234",
            keepAliveSeconds: 60,
            userName: "fleet",
            password: Array("a password of some length".utf8),
        )
    )
}

private let subscribe = Packet.subscribe(
    Subscribe(
        packetIdentifier: 5,
        requests: (0..<8).map { Subscribe.Request("fleet/\($0)/+/state", SubscriptionOptions(qos: .atLeastOnce)) },
    )
)

private let acknowledgement = Packet.acknowledgement(Acknowledgement(type: .pubAck, packetIdentifier: 5))

private func packet(_ packet: Packet, _ version: ProtocolVersion) -> [UInt8] {
    var bytes: [UInt8] = []
    packet.encode(into: &bytes, version: version)
    return bytes
}

/// A packet of ours is not whole: a mistake here.
private struct IncompletePacket: Error {}

@inline(__always)
private func frame(_ bytes: Span<UInt8>) throws -> Frame {
    guard let frame = try FrameDecoder.next(bytes, at: 0, maximumPacketSize: 1 << 20) else { throw IncompletePacket() }
    return frame
}
