import ApusBroker
import ApusLocks
import Testing

@testable import ApusManagement

@Suite("Actions of the traces")
struct TraceActionTests {
    private static let client = "GID_apus@@@device-0001"
    private static let message = String(repeating: "A", count: 32)
    private let fixture: Fixture

    init() throws {
        fixture = try Fixture()
        fixture.broker.content.withLock { content in
            content.events = [
                TraceEvent(
                    kind: .refused,
                    time: 1_000,
                    clientID: Self.client,
                    channelID: "c0",
                    detail: "not authorized"
                ),
                TraceEvent(kind: .connected, time: 2_000, clientID: Self.client, channelID: "c1", detail: "accepted"),
                TraceEvent(
                    kind: .published,
                    time: 3_000,
                    clientID: Self.client,
                    messageID: Self.message,
                    topic: "orders"
                ),
                TraceEvent(kind: .stored, time: 3_001, clientID: "other", messageID: Self.message),
                TraceEvent(kind: .deliveredOffline, time: 4_000, clientID: "other", messageID: Self.message),
                TraceEvent(
                    kind: .publishedByService,
                    time: 5_000,
                    clientID: "api/LTAI",
                    messageID: "B",
                    topic: "orders"
                ),
                TraceEvent(
                    kind: .disconnected,
                    time: 6_123,
                    clientID: Self.client,
                    channelID: "c1",
                    detail: "disconnected by client"
                ),
            ]
        }
    }

    private func query(_ action: String, _ parameters: [String: String]) async -> Fixture.Answer {
        let common = [
            "InstanceId": Fixture.first, "MqttRegionId": "cn-hangzhou", "BeginTime": "0", "EndTime": "10000",
        ]
        return await fixture.call(action, common.merging(parameters) { $1 })
    }

    private static let page = ["CurrentPage": "1", "PageSize": "100"]

    @Test func `connections with their ends, in the documented words and the time of UTC+8`() async {
        let answer = await query("QueryMqttTraceDevice", Self.page.merging(["ClientId": Self.client]) { $1 })
        #expect(answer.json["Total"] == 3 && answer.json["CurrentPage"] == 1 && answer.json["PageSize"] == 100)
        let items = answer.json["DeviceInfoList"]?.items ?? []
        #expect(items.map { $0["Action"] } == ["close", "connect", "disconnect"])
        #expect(items.map { $0["ActionInfo"] } == ["not authorized", "accepted", "disconnected by client"])
        #expect(items.first?["ActionCode"] == "mqtt.trace.action.close")
        #expect(items.last?["Time"] == "1970-01-01 08:00:06.123")
        #expect(items.last?["ChannelId"] == "c1")
    }

    @Test func `pages and their order are the broker's`() async throws {
        let answer = await query(
            "QueryMqttTraceDevice",
            ["ClientId": Self.client, "CurrentPage": "2", "PageSize": "1", "Reverse": "True"],
        )
        #expect(answer.json["DeviceInfoList"]?.items?.map { $0["Action"] } == ["connect"])
        let query = try #require(fixture.broker.content.withLock { $0.lastQuery })
        #expect(query.offset == 1 && query.limit == 1 && query.newestFirst)
        let beyond = await self.query(
            "QueryMqttTraceDevice",
            ["ClientId": Self.client, "CurrentPage": "1000000000", "PageSize": "100"],
        )
        #expect(beyond.json["DeviceInfoList"] == [] && beyond.json["Total"] == 3)
    }

    @Test func `who has published a message`() async {
        let answer = await query("QueryMqttTraceMessagePublish", ["MsgId": Self.message])
        #expect(
            answer.json["MessageTraceLists"]
                == [
                    [
                        "Time": "1970-01-01 08:00:03.000", "ClientId": .string(Self.client),
                        "MsgId": .string(Self.message), "Action": "pub_mqtt",
                        "ActionCode": "mqtt.trace.action.msg.pub.mqtt", "ActionInfo": "Pub From Mqtt Client",
                    ]
                ]
        )
        let server = await query("QueryMqttTraceMessagePublish", ["MsgId": "B"])
        #expect(server.json["MessageTraceLists"]?.items?.first?["Action"] == "ServerSend")
    }

    @Test func `who has got a message`() async {
        let answer = await query("QueryMqttTraceMessageSubscribe", Self.page.merging(["MsgId": Self.message]) { $1 })
        #expect(answer.json["Total"] == 1)
        #expect(answer.json["MessageTraceLists"]?.items?.first?["Action"] == "push_offline")
        let nobody = await query(
            "QueryMqttTraceMessageSubscribe",
            Self.page.merging(["MsgId": Self.message, "ClientId": Self.client]) { $1 },
        )
        #expect(nobody.json["Total"] == 0)
    }

    @Test func `messages of a client`() async {
        let answer = await query("QueryMqttTraceMessageOfClient", Self.page.merging(["ClientId": Self.client]) { $1 })
        #expect(answer.json["MessageOfClientList"]?.items?.map { $0["Action"] } == ["pub_mqtt"])
    }

    @Test(arguments: [
        (["BeginTime": "10001"], "EndTime"), (["BeginTime": "now"], "BeginTime"), (["EndTime": "-1"], "EndTime"),
        (["PageSize": "0"], "PageSize"), (["PageSize": "101"], "PageSize"), (["CurrentPage": "0"], "CurrentPage"),
        (["Reverse": "perhaps"], "Reverse"), (["MqttRegionId": ""], "MqttRegionId"), (["ClientId": ""], "ClientId"),
        (["EndTime": "99999999999999999999"], "EndTime"),
    ])
    func `bad questions are refused by name`(change: [String: String], name: String) async {
        let good = Self.page.merging(["ClientId": Self.client]) { $1 }
        let answer = await query("QueryMqttTraceDevice", good.merging(change) { $1 })
        #expect(answer.code == "ParameterCheckFailed")
        #expect(answer.message.hasPrefix("\(name):"))
    }

    @Test func `a device with a client id like the sender of the API is a device`() {
        let event = TraceEvent(kind: .published, time: 0, clientID: "api/LTAI", messageID: "A", topic: "t")
        #expect(TraceWords(event)?.action == "pub_mqtt")
    }
}
