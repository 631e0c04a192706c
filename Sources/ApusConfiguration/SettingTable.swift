extension Setting {
    /// Every scalar key, in the order of the default file.
    ///
    /// Only the lists, `listeners`, `tls.hosts` and those of `authentication`, are read and written by code of their own.
    static let all: [Setting] =
        general + tls + access + service + limits + operation

    private static let general: [Setting] = [
        .path(
            "data.directory",
            \.data.directory,
            "The folder of what must outlive the process; made when it is needed, for its owner only. A relative path "
                + "counts from the folder in which apus is started, so a service names a whole one, such as "
                + "/var/lib/apus. --data lies over it.",
        ),
        .choice(
            "data.durability",
            \.data.durability,
            "What an acknowledged message for a client that may be away survives: `power`, the loss of power; `process`, "
                + "the end of the process (kill -9), not of the machine; `memory`, nothing: no message log is written.",
        ),
        .bytes(
            "data.segmentBytes",
            \.data.segmentBytes,
            (1 << 20)...(1 << 30),
            "The size of a file of the message log. Space is given back in whole files.",
        ),
        .bytes(
            "data.maximumBytes",
            \.data.maximumBytes,
            0...(1 << 50),
            "The most that the message log may take on the disk, at least eight files' worth; beyond, publishes that it "
                + "would have to keep are refused with 0x97 until there is room. 0 means as much as the disk has.",
        ),
        .count(
            "data.messageRetentionSeconds",
            \.data.messageRetentionSeconds,
            0...315_360_000,
            "How long a message is kept for a client that is away; 0 means as long as the client's session lasts.",
        ),
        .count("shards", \.shards, 0...64, "Threads that serve connections; 0 means one for each core."),
        .choice("io", \.io, "How sockets are waited for."),
    ]

    private static let tls: [Setting] = [
        .optionalPath(
            "tls.certificate",
            \.tls.certificate,
            example: "/etc/apus/server.pem",
            "Certificate and intermediates (PEM) of mqtts and wss listeners that have no `tls` of their own.",
            .live,
        ),
        .optionalPath(
            "tls.key",
            \.tls.key,
            example: "/etc/apus/server.key",
            "The certificate's private key (PEM).",
            .live,
        ),
        .optionalPath(
            "tls.clientCA",
            \.tls.clientCA,
            example: "/etc/apus/clients.pem",
            "The authorities that sign client certificates (PEM). With the API, those that are registered count too.",
            .live,
        ),
        .choice(
            "tls.clientCertificate",
            \.tls.clientCertificate,
            "Whether clients are asked for a certificate, and whether they must have one.",
            .live,
        ),
    ]

    private static let access: [Setting] = [
        .choice(
            "authentication.anonymous",
            \.authentication.anonymous,
            "Who may connect without a user name: clients on this machine, or nobody.",
        ),
        .optionalPath(
            "authentication.passwordFile",
            \.authentication.passwordFile,
            example: "/etc/apus/passwords",
            "The file of users, kept with `apus password`. SIGHUP reads it anew.",
        ),
        .flag(
            "authentication.scram",
            \.authentication.scram,
            "Whether MQTT 5.0 clients may use SCRAM-SHA-256 instead of sending their password.",
        ),
        .flag(
            "authentication.userNameFromCertificate",
            \.authentication.userNameFromCertificate,
            "Whether the common name of a client certificate is the user name, instead of what the client says.",
        ),
        .count(
            "authentication.failuresPerAddress",
            \.authentication.failuresPerAddress,
            0...1_000_000,
            "Failed logins of one address within 5 minutes that cost nothing; after each further one the address must wait, "
                + "1 s at first, doubling up to 60 s. More suits networks whose devices share one address. Devices that "
                + "logged in lately with the same password do not wait.",
        ),
        .optionalText(
            "authentication.certificateInstances",
            \.authentication.certificateInstances,
            values: "instance ids separated by blanks",
            example: "post-cn-apus00001",
            "Instances whose clients must show a certificate of one of the instance's registered authorities, besides "
                + "their login; so they must come by mqtts, or by wss with tls.clientCertificate. Only with the "
                + "management API.",
            .live,
        ),
        .optionalPath(
            "authorization.aclFile",
            \.authorization.aclFile,
            example: "/etc/apus/acl",
            "The file of rights; without one, whoever may connect may do everything. SIGHUP reads it anew.",
        ),
    ]

    private static let service: [Setting] = [
        .endpoint(
            "api.listen",
            \.api.listen,
            example: "http://127.0.0.1:18083",
            "Where the management API listens; https needs a certificate. With it the broker is a message service: "
                + "accounts, access keys, instances, parent topics, groups and credentials stand in the catalog, "
                + "<data.directory>/catalog.sqlite. --api lies over it.",
        ),
        .optionalPath(
            "api.certificate",
            \.api.certificate,
            example: "/etc/apus/api.pem",
            "Certificate and intermediates (PEM) of the management API by https. Without it and api.key those of the "
                + "section tls are taken.",
            .live,
        ),
        .optionalPath(
            "api.key",
            \.api.key,
            example: "/etc/apus/api.key",
            "The certificate's private key (PEM).",
            .live,
        ),
        .text(
            "api.domains",
            \.api.domains,
            values: "domain names separated by blanks",
            "A TLS server name or WebSocket host <instance>.<domain> names the instance that a client is for.",
        ),
        .count(
            "trace.events",
            \.trace.events,
            0...10_000_000,
            "Events of connections and messages that are kept for the trace queries, the oldest making room; some 100 "
                + "bytes each. 0 keeps none. Only with the management API.",
        ),
    ]

    private static let limits: [Setting] = [
        .count(
            "limits.connections",
            \.limits.connections,
            1...10_000_000,
            "Connections on all listeners together.",
            .live
        ),
        .count(
            "limits.sessions",
            \.limits.sessions,
            1...100_000_000,
            "Sessions, connected or not; beyond, a client without one is refused. Those of clients that do not come back "
                + "end after limits.sessionExpirySeconds.",
            .live,
        ),
        .bytes(
            "limits.packetBytes",
            \.limits.packetBytes,
            1 << 10...256 << 20,
            "The largest packet that a client may send; MQTT 5.0 clients are told.",
            .live,
        ),
        .bytes(
            "limits.connectPacketBytes",
            \.limits.connectPacketBytes,
            256...1 << 20,
            "The largest CONNECT: what somebody unknown can make the broker hold.",
            .live,
        ),
        .count("limits.topicLevels", \.limits.topicLevels, 1...65_535, "Levels of a topic name or filter.", .live),
        .count("limits.topicBytes", \.limits.topicBytes, 1...65_535, "Bytes of a topic name or filter.", .live),
        .count(
            "limits.subscriptionsPerClient",
            \.limits.subscriptionsPerClient,
            1...10_000_000,
            "Subscriptions of one session.",
            .live,
        ),
        .count(
            "limits.receiveMaximum",
            \.limits.receiveMaximum,
            1...65_535,
            "QoS 1 and 2 messages that a client may have under way to the broker; MQTT 5.0 clients are told.",
            .live,
        ),
        .count(
            "limits.inFlightMessages",
            \.limits.inFlightMessages,
            1...65_535,
            "QoS 1 and 2 messages under way to a client, which may ask for fewer; more wait in its queue.",
            .live,
        ),
        .count(
            "limits.queuedMessagesPerSession",
            \.limits.queuedMessagesPerSession,
            1...10_000_000,
            "Messages that wait for one session; beyond, the oldest is dropped and counted.",
            .live,
        ),
        .bytes(
            "limits.queuedBytesPerSession",
            \.limits.queuedBytesPerSession,
            1 << 10...64 << 30,
            "Bytes that wait for one session; beyond, the oldest message is dropped and counted.",
            .live,
        ),
        .bytes(
            "limits.outputBytesPerConnection",
            \.limits.outputBytesPerConnection,
            1 << 10...1 << 30,
            "Unsent bytes of one connection; beyond, QoS 0 messages for it are dropped and counted.",
            .live,
        ),
        .count(
            "limits.sessionExpirySeconds",
            \.limits.sessionExpirySeconds,
            0...4_294_967_295,
            "How long a session may outlive its connection; clients that ask for more are told. "
                + "4294967295 means for ever.",
            .live,
        ),
        .count("limits.topicAliases", \.limits.topicAliases, 0...65_535, "Topic aliases that a client may use.", .live),
        .count(
            "limits.keepAliveSeconds",
            \.limits.keepAliveSeconds,
            0...65_535,
            "The longest keep alive; clients that ask for more or for none are told. 0 leaves it to the clients.",
            .live,
        ),
        .count("limits.retainedMessages", \.limits.retainedMessages, 0...100_000_000, "Retained messages.", .live),
        .bytes("limits.retainedBytes", \.limits.retainedBytes, 0...1 << 40, "Bytes of all retained messages.", .live),
        .count(
            "limits.connectSeconds",
            \.limits.connectSeconds,
            1...600,
            "How long a connection may take to its CONNECT, and before that to its TLS and WebSocket handshakes.",
        ),
        .bytes(
            "limits.shardBacklogBytes",
            \.limits.shardBacklogBytes,
            64 << 10...1 << 30,
            "Bytes on their way between two threads (see shards); beyond, publishers are not read until they arrive.",
        ),
    ]

    private static let operation: [Setting] = [
        .count(
            "statistics.intervalSeconds",
            \.statistics.intervalSeconds,
            0...86_400,
            "How often $SYS/broker/… is published; 0 switches it off.",
        ),
        .choice("logging.level", \.logging.level, "The least serious events that are logged.", .live),
        .choice("logging.format", \.logging.format, "Text or JSON; auto means text on a terminal and JSON elsewhere."),
        .count(
            "shutdown.graceSeconds",
            \.shutdown.graceSeconds,
            0...3600,
            "How long a shutdown waits for bytes that are still to be sent.",
            .live,
        ),
        .optionalText(
            "shutdown.serverReference",
            \.shutdown.serverReference,
            values: "names or addresses with ports, separated by blanks",
            example: "other.example.org:8883",
            "Where MQTT 5.0 clients shall go when this broker shuts down; they read it with the reason 0x9C. Without it "
                + "they are told 0x8B, that the server is shutting down.",
            .live,
        ),
    ]
}
