internal import ApusBroker
internal import ApusMessage
internal import ApusResources

/// The named schemas of the OpenAPI document.
enum Components {
    private typealias P = Schema.Property

    /// A name that is none of ours allows nothing.
    static func schema(_ name: String) -> Schema { byName[name] ?? .object([]) }

    static let all: [(name: String, schema: Schema)] = resources + messages + other

    private static let byName = Dictionary(all.map { ($0.name, $0.schema) }) { first, _ in first }

    // MARK: - Parts

    static let accountName = Schema.text(1...64, .name)
    static let keyID = Schema.text(1...64, .keyID)
    static let instanceID = Schema.text(3...64, .name)
    static let topicName = Schema.text(3...64, .name)
    static let groupID = Schema.text(7...64, .group)
    static let clientID = Schema.string(1...65_535)
    static let userName = Schema.string(1...64)
    static let count = Schema.integer(0...Int64(1) << 53)
    private static let anyTime = Schema.integer(0...Int64(1) << 53)
    private static let text = Schema.text(0...1_048_576, .any)

    /// A page of items.
    static func list(_ item: String) -> Schema {
        .object([
            P("items", .array(.component(item), 0...1_000)),
            P(
                "next",
                text,
                required: false,
                "What `after` (of the audit log: `before`) of the next page is; absent on the last."
            ),
        ])
    }

    // MARK: - Resources

    private static let resources: [(name: String, schema: Schema)] = [
        ("Account", .object([P("name", accountName), P("createdAt", anyTime)])),
        ("NewAccount", .object([P("name", accountName)])),
        ("Key", .object(key)),
        ("KeyWithSecret", .object(key + [P("secret", text, "Shown this once.")])),
        (
            "NewKey",
            .object([
                P("account", accountName), P("rights", .choice(AccessKey.Rights.self)),
                P("id", keyID, required: false, "Made up when absent."),
                P("secret", .text(8...128, .secret), required: false, "Made up when absent, which is better."),
            ])
        ),
        (
            "KeyChange",
            .object([
                P("rights", .choice(AccessKey.Rights.self), required: false), P("enabled", .boolean, required: false),
            ])
        ),
        ("Policies", .object(InstanceSettings.policyProperties(required: true, nullable: false))),
        ("PolicyOverrides", .object(InstanceSettings.policyProperties(required: false, nullable: false))),
        ("PolicyChanges", .object(InstanceSettings.policyProperties(required: false, nullable: true))),
        ("Limits", .object(InstanceSettings.limitProperties(required: true, nullable: false))),
        ("LimitOverrides", .object(InstanceSettings.limitProperties(required: false, nullable: false))),
        ("LimitChanges", .object(InstanceSettings.limitProperties(required: false, nullable: true))),
        (
            "Instance",
            .object([
                P("id", instanceID), P("name", text), P("account", accountName),
                P("profile", .choice(Profile.self)), P("state", .choice(Instance.State.self)),
                P("policies", .component("Policies"), "Those that hold: the profile's with the overrides."),
                P("limits", .component("Limits"), "Those that hold; 0 is none."),
                P("policyOverrides", .component("PolicyOverrides")), P("limitOverrides", .component("LimitOverrides")),
                P("createdAt", anyTime), P("endpoints", .array(text, 0...100)), P("topics", count), P("groups", count),
                P("connections", count, "Live ones at this moment."),
                P(
                    "isDefault",
                    .boolean,
                    "Whether connections that name no instance are for this one: the first that runs."
                ),
            ])
        ),
        (
            "NewInstance",
            .object([
                P("id", instanceID), P("account", accountName), P("name", instanceID, required: false),
                P("profile", .choice(Profile.self), required: false, "apsaramq when absent."),
                P("policies", .component("PolicyChanges"), required: false),
                P("limits", .component("LimitChanges"), required: false),
            ])
        ),
        (
            "InstanceChange",
            .object([
                P("name", instanceID, required: false), P("profile", .choice(Profile.self), required: false),
                P("policies", .component("PolicyChanges"), required: false, "null takes the profile's."),
                P("limits", .component("LimitChanges"), required: false, "null takes the profile's."),
                P("state", .choice(Instance.State.self), required: false),
            ])
        ),
        ("Topic", .object([P("name", topicName), P("remark", text), P("createdAt", anyTime)])),
        ("NewTopic", .object([P("name", topicName), P("remark", .string(0...128), required: false)])),
        ("Group", .object([P("id", groupID), P("createdAt", anyTime), P("updatedAt", anyTime)])),
        ("NewGroup", .object([P("id", groupID)])),
        ("Credential", .object(credential)),
        ("CredentialWithSecret", .object(credential + [P("accessKeySecret", text)])),
        ("NewCredential", .object([P("clientId", clientID)])),
        (
            "NewToken",
            .object([
                P("actions", .choice(["R", "W", "R,W"])),
                P("resources", .array(.string(1...65_535), 1...TokenDesk.mostResources)),
                P("expiresAt", .time, "Unix ms, 60 s ahead at least; more than 30 days ahead is cut to them."),
            ])
        ),
        (
            "Token",
            .object([
                P("token", text), P("type", .choice(["R", "W", "RW"]), "As in the MQTT password."),
                P("expiresAt", anyTime),
            ])
        ),
        ("TokenText", .object([P("token", .string(1...65_536))])),
        (
            "TokenFinding",
            .object([
                P("valid", .boolean), P("reason", text, required: false, "Why it is not valid."),
                P("actions", .choice(["R", "W", "R,W"]), required: false),
                P("resources", .array(text, 0...TokenDesk.mostResources), required: false),
                P("issuedAt", anyTime, required: false), P("expiresAt", anyTime, required: false),
            ])
        ),
        (
            "Identity",
            .object([
                P("type", .choice(IdentityType.self)), P("userName", userName),
                P("clientId", clientID, required: false, "Of type CLIENT, and only of it."),
                P("secret", .string(1...256)), P("signMode", .choice(CustomIdentity.SignMode.self)),
            ])
        ),
        (
            "Permission",
            .object([
                P("type", .choice(IdentityType.self)),
                P("identity", .string(1...256), "A user name (USER) or a client id (CLIENT)."),
                P("topic", .string(1...65_535)), P("action", .choice(CustomPermission.Action.self)),
                P("effect", .choice(CustomPermission.Effect.self)),
            ])
        ),
        ("Ban", .object([P("clientId", .string(1...256))])),
    ]

    private static let key: [P] = [
        P("id", keyID), P("account", accountName), P("rights", .choice(AccessKey.Rights.self)),
        P("enabled", .boolean), P("createdAt", anyTime),
    ]

    private static let credential: [P] = [
        P("clientId", text), P("accessKeyId", text), P("createdAt", anyTime), P("updatedAt", anyTime),
    ]

    // MARK: - Clients and messages

    private static let load: [P] = [
        P("subscriptions", .array(.component("Subscription"), 0...1_000_000)), P("inFlight", count),
        P("queuedMessages", count), P("queuedBytes", count),
    ]

    private static let messages: [(name: String, schema: Schema)] = [
        (
            "Subscription",
            .object([
                P("filter", text), P("qos", .integer(0...2)), P("noLocal", .boolean), P("retainAsPublished", .boolean),
            ])
        ),
        (
            "Client",
            .object(
                [
                    P("clientId", text), P("online", .boolean), P("address", text, required: false),
                    P("listener", text, required: false),
                    P("version", .choice(["3.1", "3.1.1", "5.0"]), required: false),
                    P("userName", text, required: false), P("keepAliveSeconds", count, required: false),
                    P("connectedAt", anyTime, required: false), P("lastSeenAt", anyTime, required: false),
                    P("channelId", text, required: false),
                ] + load
            )
        ),
        (
            "Session",
            .object(
                [
                    P("clientId", text), P("online", .boolean), P("persistent", .boolean),
                    P("expirySeconds", .integer(0...Int64(UInt32.max)), "4294967295 is for ever."),
                    P("disconnectedAt", anyTime, required: false),
                ] + load
            )
        ),
        (
            "Retained",
            .object([
                P("topic", text), P("payload", text, "Base64."), P("bytes", count), P("qos", .integer(0...2)),
                P("expiresAt", anyTime, required: false),
            ])
        ),
        (
            "NewMessage",
            .object([
                P("topic", .text(1...65_535, .topic)), P("payload", text),
                P("encoding", .choice(["text", "base64"]), required: false, "text when absent."),
                P("qos", .integer(0...2), required: false, "1 when absent."),
                P("retain", .boolean, required: false),
                P(
                    "cleanSession",
                    .boolean,
                    required: false,
                    "Whether a P2P message is dropped when its target is away; true when absent."
                ),
            ])
        ),
        (
            "PublishReport",
            .object([P("messageId", text), P("outcome", .choice(["accepted", "nobody"]))])
        ),
        (
            "MessageTrace",
            .object([P("messageId", text), P("events", .array(.component("Event"), 0...1_000))])
        ),
        (
            "Receipt",
            .object([
                P("messageId", text),
                P("sender", text, required: false, "Absent, as topic and time, when the trace has forgotten it."),
                P("topic", text, required: false), P("publishedAt", anyTime, required: false),
                P("receivers", .array(.component("ReceiptOfReceiver"), 0...1_000)),
                P("hasMore", .boolean, "Whether there are more events than the 1,000 that the receipt is made of."),
            ])
        ),
        (
            "ReceiptOfReceiver",
            .object([
                P("clientId", text), P("state", .choice(DeliveryReceipt.State.self)),
                P("time", anyTime, "Of the state."), P("storedAt", anyTime, required: false),
                P("deliveredAt", anyTime, required: false), P("acknowledgedAt", anyTime, required: false),
                P("reason", text, required: false, "Why it was dropped."),
            ])
        ),
        (
            "Event",
            .object([
                P("kind", .choice(TraceEvent.Kind.self)), P("time", anyTime), P("timeText", text, "UTC+8."),
                P("clientId", text), P("channelId", text, required: false, "Of events of connections."),
                P("messageId", text, required: false, "Of events of messages."), P("topic", text, required: false),
                P("detail", text, required: false, "Why a connection ended or a message was dropped, in a few words."),
                P("explanation", text, required: false),
            ])
        ),
    ]

    // MARK: - The rest

    private static let other: [(name: String, schema: Schema)] =
        [
            (
                "ResourcesDocument",
                .object([
                    P("accounts", .nullable(.array(.component("DocumentAccount"), 0...100_000)), required: false),
                    P("instances", .nullable(.array(.component("DocumentInstance"), 0...100_000)), required: false),
                ])
            ),
            (
                "DocumentAccount",
                .object([
                    P("name", accountName),
                    P("keys", .nullable(.array(.component("DocumentKey"), 0...100_000)), required: false),
                ])
            ),
            (
                "DocumentKey",
                .object([
                    P("id", keyID), P("secret", .text(8...128, .secret)),
                    P("rights", .nullable(.choice(AccessKey.Rights.self)), required: false, "data when absent."),
                    P("enabled", .nullable(.boolean), required: false),
                ])
            ),
            (
                "DocumentInstance",
                .object([
                    P("id", instanceID), P("account", accountName), P("name", .nullable(instanceID), required: false),
                    P("profile", .nullable(.choice(Profile.self)), required: false, "apsaramq when absent."),
                    P("state", .nullable(.choice(Instance.State.self)), required: false),
                    P("topics", .nullable(.array(topicName, 0...100_000)), required: false),
                    P("groups", .nullable(.array(groupID, 0...100_000)), required: false),
                    P("policies", .nullable(.component("PolicyChanges")), required: false),
                    P("limits", .nullable(.component("LimitChanges")), required: false),
                ])
            ),
            (
                "AuditEntry",
                .object([
                    P("number", count), P("time", anyTime), P("actor", text), P("source", text), P("action", text),
                    P("instance", text), P("detail", text), P("outcome", text),
                ])
            ),
            (
                "Plan",
                .object([
                    P("lines", .array(text, 0...1_000_000), "What changes, for people."), P("changes", count),
                    P("applied", .boolean),
                ])
            ),
            ("Problem", .object([P("field", text), P("message", text)])),
            (
                "Error",
                .object([
                    P(
                        "error",
                        .object([
                            P("code", text), P("message", text, "What is wrong and what would be right."),
                            P("field", text, required: false, "The part of the request that is wrong."),
                            P("limit", text, required: false, "The limit that was reached."),
                            P(
                                "problems",
                                .array(.component("Problem"), 1...DocumentError.most),
                                required: false,
                                "Of a resources document: all that is wrong, `message` and `field` being the first."
                            ),
                            P("requestId", text),
                        ])
                    )
                ])
            ),
        ]
        + [
            "Account", "Key", "Instance", "Topic", "Group", "Credential", "Identity", "Permission", "Ban", "Client",
            "Session", "Retained", "Event", "AuditEntry",
        ].map { ("\($0)List", list($0)) }
}
