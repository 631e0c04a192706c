import MQTTCodec

extension Sample {
    static let subscriptions: [Sample] = [
        Sample(
            "SUBSCRIBE to two filters",
            .v3_1_1,
            from: .client,
            """
            82 0C           ; SUBSCRIBE, 12 bytes
            00 0A           ; packet identifier
            "a/#" 01        ; topic filter, QoS 1
            "+" 02          ; topic filter, QoS 2
            """,
            .subscribe(
                Subscribe(
                    packetIdentifier: 10,
                    requests: [
                        .init("a/#", SubscriptionOptions(qos: .atLeastOnce)),
                        .init("+", SubscriptionOptions(qos: .exactlyOnce)),
                    ],
                )
            ),
            validBodyLengths: [8],
        ),
        Sample(
            "SUBSCRIBE with all options",
            .v5,
            from: .client,
            """
            82 1E           ; SUBSCRIBE, 30 bytes
            00 01           ; packet identifier
            0A              ; 10 bytes of properties
            0B 80 01        ; subscription identifier 128
            26 "k" "v"      ; user property
            "$share/g/t" 18 ; shared filter; QoS 0, retain as published, retain handling 1
            "x" 26          ; filter; QoS 2, no local, retain handling 2
            """,
            .subscribe(
                Subscribe(
                    packetIdentifier: 1,
                    requests: [
                        .init(
                            "$share/g/t",
                            SubscriptionOptions(qos: .atMostOnce, retainAsPublished: true, retainHandling: .sendIfNew),
                        ),
                        .init(
                            "x",
                            SubscriptionOptions(qos: .exactlyOnce, noLocal: true, retainHandling: .doNotSend),
                        ),
                    ],
                    subscriptionIdentifier: 128,
                    userProperties: [UserProperty("k", "v")],
                )
            ),
            validBodyLengths: [26],
        ),
        Sample(
            "SUBACK with a failure",
            .v3_1_1,
            from: .server,
            "90 05 00 0A 01 80 02",
            .subAck(SubAck(packetIdentifier: 10, reasonCodes: [.grantedQoS1, .unspecifiedError, .grantedQoS2])),
            validBodyLengths: [3, 4],
        ),
        Sample(
            "SUBACK with properties",
            .v5,
            from: .server,
            """
            90 12           ; SUBACK, 18 bytes
            00 01           ; packet identifier
            0D              ; 13 bytes of properties
            1F "no"         ; reason string
            26 "k" "vw"     ; user property
            00 9E           ; granted QoS 0, no shared subscriptions
            """,
            .subAck(
                SubAck(
                    packetIdentifier: 1,
                    reasonCodes: [.success, .sharedSubscriptionsNotSupported],
                    reasonString: "no",
                    userProperties: [UserProperty("k", "vw")],
                )
            ),
            validBodyLengths: [17],
        ),
        Sample(
            "UNSUBSCRIBE",
            .v3_1,
            from: .client,
            """
            A2 0A           ; UNSUBSCRIBE, 10 bytes
            00 02           ; packet identifier
            "a" "b/+"       ; topic filters
            """,
            .unsubscribe(Unsubscribe(packetIdentifier: 2, topicFilters: ["a", "b/+"])),
            validBodyLengths: [5],
        ),
        Sample(
            "UNSUBSCRIBE with a user property",
            .v5,
            from: .client,
            """
            A2 0D           ; UNSUBSCRIBE, 13 bytes
            00 02           ; packet identifier
            07 26 "a" "b"   ; properties: one user property
            "x"             ; topic filter
            """,
            .unsubscribe(
                Unsubscribe(packetIdentifier: 2, topicFilters: ["x"], userProperties: [UserProperty("a", "b")])
            ),
        ),
        Sample(
            "UNSUBACK without codes",
            .v3_1_1,
            from: .server,
            "B0 02 00 02",
            .unsubAck(UnsubAck(packetIdentifier: 2, reasonCodes: [])),
        ),
        Sample(
            "UNSUBACK with codes",
            .v5,
            from: .server,
            "B0 05 00 02 00 00 11 ; identifier, no properties, success, no subscription existed",
            .unsubAck(UnsubAck(packetIdentifier: 2, reasonCodes: [.success, .noSubscriptionExisted])),
            validBodyLengths: [4],
        ),
    ]

    static let others: [Sample] = [
        Sample("PINGREQ", .v3_1_1, from: .client, "C0 00", .pingReq),
        Sample("PINGREQ", .v5, from: .client, "C0 00", .pingReq),
        Sample("PINGRESP", .v5, from: .server, "D0 00", .pingResp),
        Sample("DISCONNECT", .v3_1_1, from: .client, "E0 00", .disconnect(Disconnect())),
        Sample("DISCONNECT, short form", .v5, from: .client, "E0 00", .disconnect(Disconnect())),
        Sample(
            "DISCONNECT with will",
            .v5,
            from: .client,
            "E0 01 04",
            .disconnect(Disconnect(reasonCode: .disconnectWithWill)),
            validBodyLengths: [0],
        ),
        Sample(
            "DISCONNECT with session expiry",
            .v5,
            from: .client,
            """
            E0 07           ; DISCONNECT, 7 bytes
            00 05           ; normal, 5 bytes of properties
            11 FF FF FF FF  ; session expiry interval: never
            """,
            .disconnect(Disconnect(sessionExpiryInterval: .max)),
            validBodyLengths: [0, 1],
        ),
        Sample(
            "DISCONNECT of a server",
            .v5,
            from: .server,
            """
            E0 15           ; DISCONNECT, 21 bytes
            9D 13           ; server moved, 19 bytes of properties
            1F "bye"        ; reason string
            26 "a" "b"      ; user property
            1C "s:1"        ; server reference
            """,
            .disconnect(
                Disconnect(
                    reasonCode: .serverMoved,
                    reasonString: "bye",
                    userProperties: [UserProperty("a", "b")],
                    serverReference: "s:1",
                )
            ),
            validBodyLengths: [0, 1],
        ),
        Sample(
            "AUTH, short form",
            .v5,
            from: .server,
            "F0 00",
            .auth(Auth(reasonCode: .success, authenticationMethod: nil))
        ),
        Sample(
            "AUTH, continue",
            .v5,
            from: .client,
            """
            F0 1A           ; AUTH, 26 bytes
            18 18           ; continue authentication, 24 bytes of properties
            15 "SCRAM"      ; authentication method
            16 00 02 00 01  ; authentication data
            1F "r"          ; reason string
            26 "a" "b"      ; user property
            """,
            .auth(
                Auth(
                    reasonCode: .continueAuthentication,
                    authenticationMethod: "SCRAM",
                    authenticationData: [0, 1],
                    reasonString: "r",
                    userProperties: [UserProperty("a", "b")],
                )
            ),
        ),
    ]
}
