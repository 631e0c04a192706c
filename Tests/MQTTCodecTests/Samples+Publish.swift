import MQTTCodec

extension Sample {
    static let publishes: [Sample] = [
        Sample(
            "PUBLISH QoS 0",
            .v3_1_1,
            from: .client,
            """
            30 07           ; PUBLISH, 7 bytes
            "a/b"           ; topic name
            'hi'            ; payload
            """,
            .publish(Publish(topic: "a/b", payload: Array("hi".utf8))),
            validBodyLengths: [5, 6],
        ),
        Sample(
            "PUBLISH QoS 2, sent again, retained, without payload",
            .v3_1,
            from: .server,
            """
            3D 05           ; PUBLISH with DUP, QoS 2, RETAIN, 5 bytes
            "t"             ; topic name
            FF FE           ; packet identifier
            """,
            .publish(
                Publish(
                    topic: "t",
                    payload: [],
                    qos: .exactlyOnce,
                    packetIdentifier: 0xFFFE,
                    dup: true,
                    retain: true,
                )
            ),
        ),
        Sample(
            "PUBLISH QoS 1 without properties",
            .v5,
            from: .client,
            """
            32 09           ; PUBLISH with QoS 1, 9 bytes
            "t/e" 00 0A     ; topic name, packet identifier
            00              ; no properties
            '!'             ; payload
            """,
            .publish(Publish(topic: "t/e", payload: [0x21], qos: .atLeastOnce, packetIdentifier: 10)),
            validBodyLengths: [8],
        ),
        Sample(
            "PUBLISH with every property of a client",
            .v5,
            from: .client,
            """
            33 37           ; PUBLISH with QoS 1, RETAIN, 55 bytes
            "t" 00 01       ; topic name, packet identifier
            2F              ; 47 bytes of properties
            23 00 02        ; topic alias 2
            02 00 00 00 1E  ; message expiry interval 30
            01 01           ; payload is UTF-8
            03 "json"       ; content type
            08 "r/1"        ; response topic
            09 00 01 00     ; correlation data
            26 "b" "1"      ; user property
            26 "a" ""       ; user property
            26 "b" "2"      ; user property
            7B 7D           ; payload
            """,
            .publish(
                Publish(
                    topic: "t",
                    payload: Array("{}".utf8),
                    qos: .atLeastOnce,
                    packetIdentifier: 1,
                    retain: true,
                    topicAlias: 2,
                    messageExpiryInterval: 30,
                    properties: MessageProperties(
                        payloadFormat: .utf8,
                        contentType: "json",
                        responseTopic: "r/1",
                        correlationData: [0],
                        userProperties: [UserProperty("b", "1"), UserProperty("a", ""), UserProperty("b", "2")],
                    ),
                )
            ),
            validBodyLengths: [53, 54],
        ),
        Sample(
            "PUBLISH by alias with subscription identifiers",
            .v5,
            from: .server,
            """
            30 0F           ; PUBLISH, 15 bytes
            ""              ; no topic name
            0C              ; 12 bytes of properties
            23 FF FF        ; topic alias 65535
            0B 01           ; subscription identifier 1
            0B FF FF FF 7F  ; subscription identifier 268435455
            01 00           ; payload is unspecified bytes
            """,
            .publish(
                Publish(
                    topic: "",
                    payload: [],
                    topicAlias: 65_535,
                    subscriptionIdentifiers: [1, 268_435_455],
                    properties: MessageProperties(payloadFormat: .bytes),
                )
            ),
        ),
    ]

    static let acknowledgements: [Sample] = [
        Sample(
            "PUBACK",
            .v3_1_1,
            from: .client,
            "40 02 00 01",
            .acknowledgement(Acknowledgement(type: .pubAck, packetIdentifier: 1)),
        ),
        Sample(
            "PUBREC, short form of success",
            .v5,
            from: .server,
            "50 02 12 34",
            .acknowledgement(Acknowledgement(type: .pubRec, packetIdentifier: 0x1234)),
        ),
        Sample(
            "PUBREL, failure without properties",
            .v5,
            from: .client,
            "62 03 00 07 92 ; packet identifier not found",
            .acknowledgement(
                Acknowledgement(type: .pubRel, packetIdentifier: 7, reasonCode: .packetIdentifierNotFound)
            ),
            validBodyLengths: [2],
        ),
        Sample(
            "PUBREL of MQTT 3.1",
            .v3_1,
            from: .client,
            "62 02 00 07",
            .acknowledgement(Acknowledgement(type: .pubRel, packetIdentifier: 7)),
        ),
        Sample(
            "PUBCOMP with a reason string",
            .v5,
            from: .server,
            """
            70 0E           ; PUBCOMP, 14 bytes
            FF FF 00        ; packet identifier, success
            0A              ; 10 bytes of properties
            1F "ok"         ; reason string
            26 00 00 00 00  ; user property, both parts empty
            """,
            .acknowledgement(
                Acknowledgement(
                    type: .pubComp,
                    packetIdentifier: 0xFFFF,
                    reasonString: "ok",
                    userProperties: [UserProperty("", "")],
                )
            ),
            validBodyLengths: [2, 3],
        ),
        Sample(
            "PUBACK, no matching subscribers",
            .v5,
            from: .server,
            "40 03 00 01 10",
            .acknowledgement(Acknowledgement(type: .pubAck, packetIdentifier: 1, reasonCode: .noMatchingSubscribers)),
            validBodyLengths: [2],
        ),
    ]
}
