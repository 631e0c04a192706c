import MQTTCodec

/// Valid conversations from which the fuzzer starts, by the name of their file.
let connectionSeeds: [(name: String, bytes: [UInt8])] =
    ProtocolVersion.allCases.flatMap { version in
        [
            ("every-qos-\(version.fileName)", everyQoS(version)),
            ("every-qos-two-shards-\(version.fileName)", everyQoS(version, [.twoShards])),
            ("resumed-session-\(version.fileName)", resumedSession(version)),
            ("will-\(version.fileName)", will(version)),
            ("retained-\(version.fileName)", retained(version)),
            ("byte-by-byte-\(version.fileName)", byteByByte(version)),
            ("slow-consumer-\(version.fileName)", slowConsumer(version)),
            ("takeover-\(version.fileName)", takeover(version)),
            ("keep-alive-\(version.fileName)", keepAlive(version)),
            ("late-authentication-\(version.fileName)", lateAuthentication(version)),
        ]
    } + [
        ("properties-v5", properties()),
        ("maximum-packet-size-v5", maximumPacketSize()),
        ("gone-with-output-v5", goneWithOutput()),
        ("enhanced-authentication-v5", enhancedAuthentication()),
        ("shared-subscription-v5", sharedSubscription()),
        ("topic-aliases-v5", topicAliases()),
        ("delayed-will-and-expiry-v5", delayedWill()),
        ("rights-and-limits-v5", rightsAndLimits()),
        ("large-payload-v5", largePayload()),
        ("congestion-between-shards-v5", congestion()),
        ("requests-without-reading-v5", requestsWithoutReading()),
        ("shut-down-v5", shutDown()),
        ("ended-from-outside-v5", endedFromOutside()),
        ("statistics-v5", statistics()),
    ]

extension ProtocolVersion {
    var fileName: String {
        switch self {
        case .v3_1: "v3-1"
        case .v3_1_1: "v3-1-1"
        case .v5: "v5"
        }
    }
}

// MARK: - Every version

private func everyQoS(_ version: ProtocolVersion, _ setUp: ScriptSetUp = []) -> [UInt8] {
    var script = ScriptWriter(setUp)
    script.connect(0, "a", version)
    script.connect(1, "b", version)
    script.subscribe(0, "t/+")
    script.subscribe(0, "t/1", .atLeastOnce)
    script.publish(1, "t/1")
    script.publish(1, "t/1", .atLeastOnce, id: 1)
    script.publish(1, "t/1", .exactlyOnce, id: 2)
    script.acknowledge(1, .pubRel, 2)
    script.acknowledge(0, .pubAck, 1)
    script.acknowledge(0, .pubRec, 2)
    script.acknowledge(0, .pubComp, 2)
    script.send(0, .unsubscribe(Unsubscribe(packetIdentifier: 3, topicFilters: ["t/+", "x"])), .pingReq)
    script.disconnect(0)
    script.close(1)
    return script.bytes
}

private func resumedSession(_ version: ProtocolVersion) -> [UInt8] {
    var script = ScriptWriter()
    script.connect(0, "a", version, clean: false, expiry: 100)
    script.subscribe(0, "#")
    script.connect(1, "b", version)
    script.publish(1, "t", .exactlyOnce, id: 1)
    script.publish(1, "t", .atLeastOnce, id: 2)
    script.close(0)
    for id in 3..<6 as Range<UInt16> { script.publish(1, "t", .atLeastOnce, id: id) }
    script.connect(0, "a", version, clean: false, expiry: 100)
    script.acknowledge(0, .pubRec, 1)
    script.acknowledge(0, .pubAck, 2)
    script.close(0)
    script.connect(2, "a", version, clean: false, expiry: 100)
    script.acknowledge(2, .pubComp, 1)
    for id in 3..<6 as Range<UInt16> { script.acknowledge(2, .pubAck, id) }
    script.disconnect(2)
    return script.bytes
}

private func will(_ version: ProtocolVersion) -> [UInt8] {
    var script = ScriptWriter([.twoShards])
    script.connect(0, "a", version)
    script.subscribe(0, "w")
    for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
        script.connect(1, "b", version) { $0.will = Will(topic: "w", payload: [1], qos: qos, retain: true) }
        script.close(1)
    }
    script.connect(1, "b", version) { $0.will = Will(topic: "w", payload: [2]) }
    script.disconnect(1)
    return script.bytes
}

private func retained(_ version: ProtocolVersion) -> [UInt8] {
    var script = ScriptWriter()
    script.connect(0, "a", version)
    for topic in ["r/1", "r/2", "r/3"] { script.publish(0, topic, .atLeastOnce, id: 1, retain: true) }
    script.connect(1, "b", version)
    script.subscribe(1, "r/#")
    script.acknowledge(1, .pubAck, 1)
    script.publish(0, "r/1", retain: true) { $0.payload = [] }
    script.subscribe(1, "r/+", .atMostOnce)
    return script.bytes
}

private func byteByByte(_ version: ProtocolVersion) -> [UInt8] {
    var script = ScriptWriter([.twoShards])
    script.outside(.sendByteByByte, 0)
    script.outside(.sendByteByByte, 1)
    script.connect(0, "a", version)
    script.connect(1, "b", version)
    script.subscribe(0, "t")
    script.publish(1, "t", .exactlyOnce, id: 1)
    script.acknowledge(1, .pubRel, 1)
    script.acknowledge(0, .pubRec, 1)
    return script.bytes
}

private func slowConsumer(_ version: ProtocolVersion) -> [UInt8] {
    var script = ScriptWriter([.twoShards])
    script.connect(0, "a", version)
    script.subscribe(0, "t")
    script.stopReading(0)
    script.connect(1, "b", version)
    script.publish(1, "t") { $0.payload = [UInt8](repeating: 7, count: 100) }
    script.repeatLast(1, more: 7)
    script.publish(1, "t", .atLeastOnce, id: 1)
    script.repeatLast(1, more: 3)
    script.read(0, blocks: 7)
    script.acknowledge(0, .pubAck, 1)
    script.resumeReading(0)
    return script.bytes
}

private func takeover(_ version: ProtocolVersion) -> [UInt8] {
    var script = ScriptWriter()
    script.connect(0, "a", version, clean: false, expiry: 10) { $0.will = Will(topic: "w", payload: [1]) }
    script.subscribe(0, "w")
    script.connect(1, "a", version, clean: false, expiry: 10)
    script.connect(2, "a", version)
    script.publish(2, "w", .atLeastOnce, id: 1)
    return script.bytes
}

private func keepAlive(_ version: ProtocolVersion) -> [UInt8] {
    var script = ScriptWriter([.keepAlive])
    script.connect(0, "a", version) { $0.keepAliveSeconds = 5 }
    script.wait(power: 5)
    script.send(0, .pingReq)
    script.wait(power: 8)
    script.connect(1, "", version)
    script.send(2, bytes: [0x10])
    script.wait(power: 12)
    return script.bytes
}

private func lateAuthentication(_ version: ProtocolVersion) -> [UInt8] {
    var script = ScriptWriter()
    let asLate = { (connect: inout Connect) in
        connect.userName = "late"
        connect.password = [1]
    }
    script.connect(0, "a", version, change: asLate)
    script.subscribe(0, "t")
    script.outside(.admitWaiting)
    script.connect(1, "b", version, change: asLate)
    script.close(1)
    script.connect(2, "c", version, change: asLate)
    script.outside(.refuseWaiting)
    script.connect(3, "d", version) {
        $0.userName = "d"
        $0.password = Array("no".utf8)
    }
    return script.bytes
}

// MARK: - MQTT 5.0

private func properties() -> [UInt8] {
    var script = ScriptWriter([.twoShards])
    script.connect(0, "a", expiry: .max) {
        $0.receiveMaximum = 2
        $0.maximumPacketSize = 80
        $0.userProperties = [UserProperty("k", "v")]
        $0.requestProblemInformation = false
    }
    script.subscribe(0, "t/#", identifier: 5)
    script.subscribe(0, "t/x", identifier: 300)
    script.connect(1, "b")
    script.publish(1, "t/x", .atLeastOnce, id: 1) {
        $0.messageExpiryInterval = 3
        $0.properties = MessageProperties(
            payloadFormat: .utf8,
            contentType: "text",
            responseTopic: "r",
            correlationData: [9],
            userProperties: [UserProperty("k", "v")],
        )
        $0.payload = Array("text".utf8)
    }
    script.repeatLast(1, more: 0)
    script.wait(power: 6)
    script.acknowledge(0, .pubAck, 1)
    script.send(0, .disconnect(Disconnect(reasonCode: .disconnectWithWill, sessionExpiryInterval: 5)))
    return script.bytes
}

private func maximumPacketSize() -> [UInt8] {
    var script = ScriptWriter()
    script.connect(0, "a", expiry: 60) { $0.maximumPacketSize = 60 }
    script.subscribe(0, "t")
    script.connect(1, "b")
    for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
        for size in [10, 100] {
            script.publish(1, "t", qos, id: qos == .atMostOnce ? 0 : UInt16(size)) {
                $0.payload = [UInt8](repeating: 1, count: size)
            }
        }
    }
    script.close(0)
    script.publish(1, "t", .atLeastOnce, id: 1) { $0.payload = [UInt8](repeating: 1, count: 40) }
    script.connect(0, "a", clean: false, expiry: 60) { $0.maximumPacketSize = 30 }
    return script.bytes
}

private func goneWithOutput() -> [UInt8] {
    var script = ScriptWriter([.twoShards, .largePackets])
    script.connect(2, "a")
    script.subscribe(2, "t")
    script.stopReading(2)
    script.publish(2, "t", .atLeastOnce, id: 1)
    script.send(2, bytes: [0x30, 0xC4, 0x25, 0, 1, 0x74, 0])
    script.fill(2, 0x41, blocks: 8)
    script.close(2)
    script.connect(3, "a")
    script.stopReading(3)
    script.send(3, .pingReq)
    return script.bytes
}

private func enhancedAuthentication() -> [UInt8] {
    var script = ScriptWriter()
    let auth = { (reasonCode: ReasonCode, data: [UInt8]) in
        Packet.auth(Auth(reasonCode: reasonCode, authenticationMethod: "TOY", authenticationData: data))
    }
    for peer in 0..<2 {
        script.connect(peer, "a\(peer)") {
            $0.authenticationMethod = "TOY"
            $0.authenticationData = [7]
        }
        script.send(peer, auth(.continueAuthentication, [1]))
        script.send(peer, auth(.reauthenticate, [3]))
        script.send(peer, auth(.continueAuthentication, [peer == 0 ? 1 : 0]))
    }
    script.connect(2, "c") { $0.authenticationMethod = "other" }
    return script.bytes
}

private func sharedSubscription() -> [UInt8] {
    var script = ScriptWriter([.twoShards])
    for peer in 0..<2 {
        script.connect(peer, "m\(peer)", expiry: 60)
        script.subscribe(peer, "$share/g/t")
    }
    script.connect(2, "p")
    for id in 1..<5 as Range<UInt16> { script.publish(2, "t", id % 2 == 0 ? .exactlyOnce : .atLeastOnce, id: id) }
    script.close(0)
    script.acknowledge(1, .pubAck, 1)
    script.close(1)
    script.publish(2, "t", .atLeastOnce, id: 5)
    script.connect(0, "m0", clean: false, expiry: 60)
    return script.bytes
}

private func topicAliases() -> [UInt8] {
    var script = ScriptWriter()
    script.connect(0, "a") { $0.topicAliasMaximum = 2 }
    script.subscribe(0, "#")
    script.connect(1, "b")
    for topic in ["one", "two", "three"] { script.publish(1, topic) { $0.topicAlias = 1 } }
    script.publish(1, "") { $0.topicAlias = 1 }
    script.publish(1, "one")
    script.publish(1, "") { $0.topicAlias = 4 }
    return script.bytes
}

private func delayedWill() -> [UInt8] {
    var script = ScriptWriter()
    script.connect(0, "a")
    script.subscribe(0, "w")
    script.connect(1, "b", expiry: 600) {
        $0.will = Will(topic: "w", payload: [1], qos: .atLeastOnce, willDelayInterval: 30, messageExpiryInterval: 9)
    }
    script.close(1)
    script.wait(power: 7)
    script.connect(1, "b", clean: false, expiry: 20) { $0.will = Will(topic: "w", payload: [2], willDelayInterval: 60) }
    script.disconnect(1, .disconnectWithWill)
    script.wait(power: 9)
    return script.bytes
}

private func rightsAndLimits() -> [UInt8] {
    var script = ScriptWriter([.rights, .noQoS2])
    script.connect(0, "a", expiry: 60)
    script.subscribe(0, "t")
    script.subscribe(0, "no")
    script.publish(0, "no", .atLeastOnce, id: 1)
    script.outside(.changeRights)
    script.publish(0, "t", .atLeastOnce, id: 2)
    script.outside(.lowerLimits)
    script.publish(0, "u", .exactlyOnce, id: 3)
    script.connect(1, "b")
    for topic in ["x", "y", "z"] { script.subscribe(1, topic) }
    return script.bytes
}

private func largePayload() -> [UInt8] {
    var script = ScriptWriter([.twoShards, .largePackets])
    for peer in 0..<2 {
        script.connect(peer, "m\(peer)", expiry: 60)
        script.subscribe(peer, "t", .atLeastOnce)
    }
    script.connect(2, "p")
    // PUBLISH, QoS 1, 4,800 bytes: topic `t`, identifier 1, no properties, and a payload that the receivers share.
    script.send(2, bytes: [0x32, 0xC6, 0x25, 0, 1, 0x74, 0, 1, 0])
    script.fill(2, 0x41, blocks: 8)
    script.acknowledge(0, .pubAck, 1)
    return script.bytes
}

private func congestion() -> [UInt8] {
    var script = ScriptWriter([.twoShards])
    for (peer, name) in ["a", "b", "c"].enumerated() {
        script.connect(peer, name)
        script.subscribe(peer, "t")
    }
    for peer in 0..<2 {
        script.send(peer, bytes: [[UInt8]](repeating: [0x30, 4, 0, 1, 0x74, 0], count: 40).flatMap { $0 })
        script.repeatLast(peer, more: 1)
    }
    return script.bytes
}

private func requestsWithoutReading() -> [UInt8] {
    var script = ScriptWriter()
    script.connect(0, "a")
    script.stopReading(0)
    script.send(0, .pingReq, .pingReq, .pingReq, .pingReq, .pingReq, .pingReq, .pingReq, .pingReq)
    for _ in 0..<40 { script.repeatLast(0, more: 7) }
    script.resumeReading(0)
    script.send(0, .pingReq)
    return script.bytes
}

private func shutDown() -> [UInt8] {
    var script = ScriptWriter([.twoShards])
    script.connect(0, "a", expiry: 60) { $0.will = Will(topic: "t", payload: [1]) }
    script.connect(1, "b", .v3_1_1)
    script.send(2, bytes: [0x10, 0x20])
    script.stopReading(1)
    script.outside(.shutDown)
    script.connect(3, "c")
    return script.bytes
}

private func endedFromOutside() -> [UInt8] {
    var script = ScriptWriter([.twoShards])
    script.connect(0, "a", expiry: 60)
    script.subscribe(0, "t")
    script.outside(.endConnection)
    script.connect(1, "a", clean: false, expiry: 60)
    script.close(1)
    script.outside(.endSession)
    return script.bytes
}

private func statistics() -> [UInt8] {
    var script = ScriptWriter([.statistics, .refusesDuplicates, .closesOnDenial, .rights])
    script.connect(0, "a")
    script.subscribe(0, "$SYS/#", .atLeastOnce)
    script.connect(1, "a")
    script.wait(power: 13)
    script.publish(0, "$SYS/x", .atLeastOnce, id: 1)
    return script.bytes
}
