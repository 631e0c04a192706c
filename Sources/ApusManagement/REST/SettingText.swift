internal import ApusMessage

/// What a policy or limit of an instance does, for the OpenAPI document.
///
/// The tables of docs/resources.md have the same words; a test holds them together.
struct SettingText: Sendable, Equatable {
    /// What it is, and what happens where it is broken or reached: codes on the wire, in the log and of the API.
    var meaning: String
    /// From when on a change holds, and for whom.
    var effect: String

    /// Markdown, as descriptions in OpenAPI are.
    var description: String { "\(meaning) \(effect)" }

    init(_ meaning: String, _ effect: String) {
        self.meaning = meaning
        self.effect = effect
    }
}

// MARK: - Policies

extension SettingText {
    static let duplicateClientID = SettingText(
        """
        What happens to a CONNECT whose client id is connected already. `takeover`: the older connection is closed, 5.0 \
        with 0x8E. `refuse`: the newcomer gets 0x85 (before 5.0: 2), and the older connection is probed, so that a dead \
        one ends within seconds; one that is silent for longer than its keep alive is replaced at once.
        """,
        "With the next CONNECT.",
    )
    static let onDenied = SettingText(
        """
        What follows a publish or subscription without the right to its topic, or to a topic that the instance does not \
        take. `refuse`: PUBACK or PUBREC with 0x87 in 5.0, acknowledged and dropped before; QoS 0 dropped; SUBACK 0x87 \
        (before 5.0: 0x80). `close`: the connection ends, 5.0 with 0x87; PUBACK or PUBREC of 5.0 and SUBACK of 3.1.1 come \
        before it. Logged as `publish.denied` or `subscribe.denied`, messages are counted as `not_authorized`.
        """,
        "At once.",
    )
    static let maximumQoS = SettingText(
        """
        The highest QoS; 5.0 clients read it in CONNACK. A PUBLISH above it closes the connection, 5.0 with 0x9B; a will \
        above it is refused with 0x9B (before 5.0: 3); a subscription gets this QoS at most. By the API: 422.
        """,
        "At once; subscriptions that stand keep theirs.",
    )
    static let requiresGroup = SettingText(
        """
        Whether client ids are `GroupID@@@DeviceID`, at most 64 characters, of a group that was created. Another form is \
        refused with 0x85 (before 5.0: 2), an unknown group with 0x87 (5). With it a session is its client id's, whatever \
        login brings it; without it the user's who began it, and another user gets 0x85 (2).
        """,
        "At once: switched on, it ends connections whose client id has no group, 5.0 with 0x98.",
    )
    static let requiresParentTopic = SettingText(
        """
        Whether the first level of a topic or filter must be a parent topic that was created, so no wildcard either. What \
        breaks it is denied as `onDenied` says; by the API 403.
        """,
        "At once: switched on, it ends subscriptions that break it (`subscription.ended` in the log).",
    )
    static let persistentQoS2 = SettingText(
        """
        Whether QoS 2 works with sessions that outlive their connection. Without it such a subscription is refused with \
        0x83 (before 5.0: 0x80), and a P2P message of QoS 2 does not wait for a client that is away: it is dropped as \
        `target_away`.
        """,
        "With the next SUBSCRIBE or PUBLISH; subscriptions that stand stay.",
    )
    static let p2p = SettingText(
        """
        Whether a message to `{parent}/p2p/{clientId}` reaches that client, and nobody else, without a subscription. \
        Nobody may subscribe to such topics of another client. Without it they are topics as any other.
        """,
        "At once.",
    )
    static let anonymousOnLoopback = SettingText(
        """
        Whether a client of this machine may connect without a user name, where `authentication.anonymous` and its listener \
        allow it too. Others get 0x87 (before 5.0: 5).
        """,
        "With the next CONNECT.",
    )
    static let trace = SettingText(
        """
        Whether events of its clients and messages are kept for trace queries and receipts: the last `trace.events` of all \
        instances together.
        """,
        "At once; what was kept stays.",
    )
}

// MARK: - Limits

extension SettingText {
    /// 0 is no bound of the instance's own, whichever the limit.
    init(_ limit: InstanceLimits.Name) {
        self =
            switch limit {
            case .connections:
                SettingText(
                    """
                    Live connections. A further CONNECT is refused with 0x97 (before 5.0: 3) and logged as \
                    `client.refused`; one that takes over a connected session needs no room.
                    """,
                    "With the next CONNECT; live connections stay.",
                )
            case .publishPerSecond:
                SettingText(
                    """
                    PUBLISH packets of all clients, with messages by the API, in a second of the clock. What is more \
                    is not lost and not refused: it and all behind it on its connection is not read before the next \
                    second, so TCP slows the publisher. Logged as `client.throttled`, counted in \
                    `apus_publishers_throttled_total`. A message by the API gets 429.
                    """,
                    "From the next second on.",
                )
            case .clientPublishPerSecond:
                SettingText(
                    """
                    PUBLISH packets of one client in a second of the clock, likewise; messages by the API are no \
                    client's.
                    """,
                    "From the next second on.",
                )
            case .payloadBytes:
                SettingText(
                    """
                    Bytes of a payload. A PUBLISH with more closes the connection, 5.0 with 0x95, whatever \
                    `onDenied` says; it is logged as `publish.denied` and counted as `refused`. A will with more is \
                    refused with 0x95 (before 5.0: 3). By the API: 422.
                    """,
                    "With the next PUBLISH or CONNECT.",
                )
            case .topicCharacters:
                SettingText(
                    """
                    Characters of a whole topic or filter; of a P2P topic only the parent counts, beside 64 of the \
                    client id. What is longer is denied as `onDenied` says, by the API with 422.
                    """,
                    "At once; subscriptions that are longer end (`subscription.ended` in the log).",
                )
            case .subscriptionsPerClient:
                SettingText(
                    """
                    Subscriptions of one session. A further one gets SUBACK 0x97 (before 5.0: 0x80) and is logged as \
                    `subscribe.denied`; the connection and other filters of the packet are not touched. \
                    `limits.subscriptionsPerClient` of the configuration holds where it is lower.
                    """,
                    "With the next SUBSCRIBE; subscriptions that stand stay.",
                )
            case .parentTopics:
                SettingText(
                    """
                    Parent topics. A further one is refused with 409 `OverLimit`. The limit cannot be set to less \
                    than there are.
                    """,
                    "With the next one that is created.",
                )
            case .groups:
                SettingText(
                    """
                    Groups. A further one is refused with 409 `OverLimit`, by `CreateGroupId` with an error of the \
                    action. The limit cannot be set to less than there are.
                    """,
                    "With the next one that is created.",
                )
            case .wildcardSubscriptionsPerParent:
                SettingText(
                    """
                    Subscriptions with wildcards below one first level, of all sessions, connected or not. A further \
                    one gets SUBACK 0x97 (before 5.0: 0x80) and is logged as `subscribe.denied`. A filter that \
                    begins with a wildcard does not count.
                    """,
                    "With the next SUBSCRIBE; subscriptions that stand stay.",
                )
            case .keepAliveSeconds:
                SettingText(
                    """
                    Seconds of the longest keep alive of a 5.0 client. One that asks for more, or for none, is told \
                    this one in CONNACK; earlier versions cannot be told and keep theirs. `limits.keepAliveSeconds` \
                    of the configuration holds where it is lower.
                    """,
                    "With the next CONNECT.",
                )
            case .topicAliases:
                SettingText(
                    """
                    Topic aliases each way of a 5.0 client, which reads them in CONNACK; a higher one closes the \
                    connection with 0x94. `limits.topicAliases` of the configuration holds where it is lower.
                    """,
                    "With the next CONNECT.",
                )
            case .offlineMessages:
                SettingText(
                    """
                    Messages that wait for sessions that are away, in all of the instance. Beyond, the oldest of the \
                    session that gets another goes, or the new one where no other waits in it: counted as \
                    `queue_full`, logged as `message.dropped`. `limits.queuedMessagesPerSession` and \
                    `queuedBytesPerSession` of the configuration hold for each session besides.
                    """,
                    "With the next message that must wait; what waits stays.",
                )
            case .offlineSeconds:
                SettingText(
                    """
                    Seconds since its publication for which a message may wait in a queue. An older one is dropped \
                    when its turn comes, counted as `expired`; until then it takes its place. Retained messages have \
                    no such age.
                    """,
                    "At once, also for what waits already.",
                )
            case .customAuthEntries:
                SettingText(
                    """
                    Identities of custom authentication, and as many permissions with bans. A further one is refused \
                    with 409 `OverLimit`, by the RPC API with `Customauth.over.capacity`.
                    """,
                    "With the next one that is created; those that are there stay.",
                )
            case .deviceCredentials:
                SettingText(
                    """
                    Device credentials, and as many device certificates. A further one is refused with 409 \
                    `OverLimit`; a certificate that a device shows for the first time is not registered then \
                    (`certificate.unregistered` in the log), and the device connects.
                    """,
                    "With the next one that is created; those that are there stay.",
                )
            case .retainedMessages:
                SettingText(
                    """
                    Retained messages. A further one is delivered but not kept: counted as `retained_full`, logged \
                    as `retained.full`; by the API it is refused as a whole with 409. One that takes the place of \
                    another needs no room.
                    """,
                    "With the next retained message; what was kept stays.",
                )
            case .retainedBytes:
                SettingText(
                    """
                    Bytes of retained messages with their topics and what the index needs; beyond, as \
                    `retainedMessages`.
                    """,
                    "With the next retained message; what was kept stays.",
                )
            }
    }
}
