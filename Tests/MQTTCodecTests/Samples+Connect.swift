import MQTTCodec

extension Sample {
    static let connects: [Sample] = [
        Sample(
            "CONNECT, the least",
            .v3_1_1,
            from: .client,
            """
            10 0C           ; CONNECT, 12 bytes
            "MQTT" 04       ; protocol name and level
            02              ; clean session
            00 00           ; keep alive
            ""              ; client identifier
            """,
            .connect(Connect(version: .v3_1_1, clientIdentifier: "")),
        ),
        Sample(
            "CONNECT of MQTT 3.1 with a user",
            .v3_1,
            from: .client,
            """
            10 1A           ; CONNECT, 26 bytes
            "MQIsdp" 03     ; protocol name and level
            C0              ; user name, password
            00 3C           ; keep alive
            "dev"           ; client identifier
            "me" "pw1"      ; user name, password
            """,
            .connect(
                Connect(
                    version: .v3_1,
                    clientIdentifier: "dev",
                    cleanStart: false,
                    keepAliveSeconds: 60,
                    userName: "me",
                    password: Array("pw1".utf8),
                )
            ),
            // The remaining length takes precedence over the user name and password flags in MQTT 3.1.
            validBodyLengths: [17, 21],
        ),
        Sample(
            "CONNECT with a will",
            .v3_1_1,
            from: .client,
            """
            10 19           ; CONNECT, 25 bytes
            "MQTT" 04       ; protocol name and level
            34              ; will, will QoS 2, will retain
            FF FF           ; keep alive
            "c" "gone/c"    ; client identifier, will topic
            00 02 00 FF     ; will payload: any bytes
            """,
            .connect(
                Connect(
                    version: .v3_1_1,
                    clientIdentifier: "c",
                    cleanStart: false,
                    keepAliveSeconds: 65_535,
                    will: Will(topic: "gone/c", payload: [0, 0xFF], qos: .exactlyOnce, retain: true),
                )
            ),
        ),
        Sample(
            "CONNECT with every property",
            .v5,
            from: .client,
            """
            10 8E 01        ; CONNECT, 142 bytes
            "MQTT" 05       ; protocol name and level
            EE              ; user name, password, will retain, will QoS 1, will, clean start
            00 0A           ; keep alive
            30              ; 48 bytes of properties
            11 00 00 0E 10  ; session expiry interval 3600
            21 00 14        ; receive maximum 20
            27 00 01 00 00  ; maximum packet size 65536
            22 00 05        ; topic alias maximum 5
            19 01           ; request response information
            17 00           ; no problem information
            26 "a" "1"      ; user property
            26 "a" "2"      ; user property, the same name again
            15 "SCRAM"      ; authentication method
            16 00 03 01 02 03  ; authentication data
            "c1"            ; client identifier
            32              ; 50 bytes of will properties
            18 00 00 00 05  ; will delay interval 5
            02 00 00 00 3C  ; message expiry interval 60
            01 01           ; payload is UTF-8
            03 "text/plain" ; content type
            08 "re/ply"     ; response topic
            09 00 02 CA FE  ; correlation data
            26 "k" "value"  ; user property
            "will/c1"       ; will topic
            "bye"           ; will payload
            "user" "secret" ; user name, password
            """,
            .connect(
                with(
                    Connect(
                        clientIdentifier: "c1",
                        keepAliveSeconds: 10,
                        will: Will(
                            topic: "will/c1",
                            payload: Array("bye".utf8),
                            qos: .atLeastOnce,
                            retain: true,
                            willDelayInterval: 5,
                            messageExpiryInterval: 60,
                            properties: MessageProperties(
                                payloadFormat: .utf8,
                                contentType: "text/plain",
                                responseTopic: "re/ply",
                                correlationData: [0xCA, 0xFE],
                                userProperties: [UserProperty("k", "value")],
                            ),
                        ),
                        userName: "user",
                        password: Array("secret".utf8),
                    )
                ) {
                    $0.sessionExpiryInterval = 3600
                    $0.receiveMaximum = 20
                    $0.maximumPacketSize = 65_536
                    $0.topicAliasMaximum = 5
                    $0.requestResponseInformation = true
                    $0.requestProblemInformation = false
                    $0.userProperties = [UserProperty("a", "1"), UserProperty("a", "2")]
                    $0.authenticationMethod = "SCRAM"
                    $0.authenticationData = [1, 2, 3]
                }
            ),
        ),
        Sample(
            "CONNECT with a password and no user name",
            .v5,
            from: .client,
            """
            10 12           ; CONNECT, 18 bytes
            "MQTT" 05       ; protocol name and level
            42              ; password, clean start
            00 00           ; keep alive
            00              ; no properties
            "c"             ; client identifier
            00 02 00 01     ; password: any bytes
            """,
            .connect(Connect(clientIdentifier: "c", password: [0, 1])),
        ),
    ]

    static let connAcks: [Sample] = [
        Sample(
            "CONNACK, session present",
            .v3_1_1,
            from: .server,
            "20 02 01 00",
            .connAck(ConnAck(sessionPresent: true)),
        ),
        Sample(
            "CONNACK, not authorized",
            .v3_1,
            from: .server,
            "20 02 00 05",
            .connAck(ConnAck(reasonCode: .notAuthorized)),
        ),
        Sample(
            "CONNACK, the least",
            .v5,
            from: .server,
            "20 03 00 00 00 ; no session, success, no properties",
            .connAck(ConnAck()),
        ),
        Sample(
            "CONNACK with every property",
            .v5,
            from: .server,
            """
            20 55           ; CONNACK, 85 bytes
            00 9C           ; no session, use another server
            52              ; 82 bytes of properties
            11 00 00 00 00  ; session expiry interval 0
            21 00 0A        ; receive maximum 10
            24 01           ; maximum QoS 1
            25 00           ; no retained messages
            27 00 00 10 00  ; maximum packet size 4096
            12 "auto-1"     ; assigned client identifier
            22 00 08        ; topic alias maximum 8
            1F "sorry"      ; reason string
            26 "x" "y"      ; user property
            28 00           ; no wildcards
            29 00           ; no subscription identifiers
            2A 00           ; no shared subscriptions
            13 00 1E        ; server keep alive 30
            1A "resp/"      ; response information
            1C "other:1883" ; server reference
            15 "M"          ; authentication method
            16 00 01 FF     ; authentication data
            """,
            .connAck(
                with(ConnAck(reasonCode: .useAnotherServer)) {
                    $0.sessionExpiryInterval = 0
                    $0.receiveMaximum = 10
                    $0.maximumQoS = .atLeastOnce
                    $0.retainAvailable = false
                    $0.maximumPacketSize = 4096
                    $0.assignedClientIdentifier = "auto-1"
                    $0.topicAliasMaximum = 8
                    $0.reasonString = "sorry"
                    $0.userProperties = [UserProperty("x", "y")]
                    $0.wildcardSubscriptionAvailable = false
                    $0.subscriptionIdentifierAvailable = false
                    $0.sharedSubscriptionAvailable = false
                    $0.serverKeepAliveSeconds = 30
                    $0.responseInformation = "resp/"
                    $0.serverReference = "other:1883"
                    $0.authenticationMethod = "M"
                    $0.authenticationData = [0xFF]
                }
            ),
        ),
    ]
}
