import ApusBroker
import ApusCrypto
import ApusLocks
import ApusMessage
import ApusResources
import HTTPTypes
import MQTTCodec
import Testing

@testable import ApusManagement

@Suite("Clients, sessions and messages by REST")
struct RESTClientTests {
    private static let client = "GID_apus@@@device-0001"
    private let fixture: Fixture
    private let instance = "/instances/\(Fixture.first)"

    init() throws { fixture = try Fixture() }

    @Test func `clients and sessions are listed, shown, disconnected and ended`() async throws {
        let number = try fixture.number()
        fixture.broker.content.withLock { content in
            content.sessions[number] = [
                SessionDetails(Self.client, isConnected: true), SessionDetails("away", isConnected: false, queued: 7),
            ]
        }
        let clients = await fixture.rest(.get, "\(instance)/clients").json["items"]?.items
        #expect(clients?.map { $0["clientId"] } == [.string(Self.client)])
        #expect(clients?.first?["subscriptions"]?.items?.first?["filter"] == "orders/#")
        let sessions = await fixture.rest(.get, "\(instance)/sessions?limit=1")
        let next = try #require(sessions.json["next"]?.string)
        let second = await fixture.rest(.get, "\(instance)/sessions?limit=1&after=\(next)").json["items"]?.items
        #expect(second?.first?["queuedMessages"] == 7 && second?.first?["online"] == false)
        #expect(await fixture.rest(.get, "\(instance)/clients/away").json["online"] == false)
        #expect(await fixture.rest(.get, "\(instance)/clients/nobody").status == 404)
        #expect(await fixture.rest(.delete, "\(instance)/clients/away").status == 404)
        let path = "\(instance)/clients/GID_apus%40%40%40device-0001?reason=go%20away"
        #expect(await fixture.rest(.delete, path).status == 204)
        #expect(fixture.broker.content.withLock { $0.disconnected } == ["\(Self.client): go away"])
        #expect(try fixture.lastAudit()?.action == "DELETE /instances/{instance}/clients/{clientId}")
        #expect(await fixture.rest(.delete, "\(instance)/sessions/away").status == 204)
        #expect(await fixture.rest(.delete, "\(instance)/sessions/away").status == 404)
    }

    @Test func `retained messages are listed and removed`() async {
        fixture.broker.content.withLock { content in
            content.retained = ["a/1", "a/2"].map {
                RetainedDetails(topic: $0, payload: [1, 2], qos: 1, expiresAt: nil)
            }
        }
        let page = await fixture.rest(.get, "\(instance)/retained?filter=a%2F%2B&limit=1")
        #expect(page.json["items"] == [["topic": "a/1", "payload": "AQI=", "bytes": 2, "qos": 1]])
        #expect(page.json["next"] != nil)
        #expect(await fixture.rest(.get, "\(instance)/retained?filter=a%2F%23%2Fb").status == 422)
        #expect(await fixture.rest(.delete, "\(instance)/retained/a%2F1").status == 204)
        #expect(await fixture.rest(.delete, "\(instance)/retained/a%2F1").status == 404)
    }

    @Test func `a message is published as asked`() async throws {
        let report = await fixture.rest(
            .post,
            "\(instance)/publish",
            [
                "topic": "orders/a", "payload": "AP8=", "encoding": "base64", "qos": 2, "retain": true,
                "cleanSession": false,
            ],
        )
        #expect(report.json["outcome"] == "accepted")
        let message = try #require(fixture.broker.content.withLock { $0.published.first })
        #expect(
            message.payload == [0, 0xFF] && message.qos == .exactlyOnce && message.retain && !message.isCleanSession
        )
        fixture.broker.content.withLock { $0.outcome = .nobody }
        let nobody = await fixture.rest(.post, "\(instance)/publish", ["topic": "orders/a", "payload": ""])
        #expect(nobody.json["outcome"] == "nobody")
        fixture.broker.content.withLock { $0.outcome = .refused("full") }
        #expect(await fixture.rest(.post, "\(instance)/publish", ["topic": "orders/a", "payload": ""]).status == 409)
    }

    @Test(
        arguments: [
            (["topic": "orders/#", "payload": ""], 400), (["topic": "nowhere", "payload": ""], 403),
            (["topic": "orders/a", "payload": "x", "encoding": "base64"], 422), (["topic": "orders/a"], 400),
            (["topic": "orders/a", "payload": "", "qos": 3], 400),
            (["topic": .string("orders/" + String(repeating: "x", count: 60)), "payload": ""], 422),
        ] as [(JSONValue, Int)]
    )
    func `a message that cannot be is refused`(body: JSONValue, status: Int) async {
        #expect(await fixture.rest(.post, "\(instance)/publish", body).status == status)
    }

    @Test func `a topic has the length that the instance allows, parent topic or not`() async {
        let rules: JSONValue = ["policies": ["requiresParentTopic": false], "limits": ["topicCharacters": 10]]
        #expect(await fixture.rest(.patch, instance, rules).status == 200)
        for (topic, status) in [("no/parent1", 200), ("no/parent12", 422), ("no/p2p/a-device", 200)] {
            #expect(
                await fixture.rest(.post, "\(instance)/publish", ["topic": .string(topic), "payload": ""]).status
                    == status
            )
        }
    }

    @Test func `what became of a message is what the trace knows`() async {
        let id = String(repeating: "A", count: 32)
        #expect(await fixture.rest(.get, "\(instance)/messages/\(id)").status == 404)
        fixture.broker.content.withLock { content in
            content.events = [
                TraceEvent(kind: .stored, time: 0, clientID: "c", messageID: id, topic: "orders"),
                TraceEvent(kind: .dropped, time: 1, clientID: "c", messageID: id, detail: "expired"),
            ]
        }
        let events = await fixture.rest(.get, "\(instance)/messages/\(id)").json["events"]?.items
        #expect(events?.map { $0["kind"] } == ["stored", "dropped"])
        #expect(events?.last?["detail"] == "expired" && events?.first?["timeText"] == "1970-01-01 08:00:00.000")
        fixture.broker.content.withLock { content in
            content.events = [(TraceEvent.Kind.delivered, 2), (.stored, 2), (.published, 2), (.acknowledged, 3)]
                .map { kind, time in TraceEvent(kind: kind, time: time, clientID: "c", messageID: id) }
        }
        let ordered = await fixture.rest(.get, "\(instance)/messages/\(id)").json["events"]?.items
        #expect(ordered?.map { $0["kind"] } == ["published", "delivered", "stored", "acknowledged"])
    }

    @Test func `a receipt says of each receiver what came last, and when`() async {
        let id = String(repeating: "A", count: 32)
        #expect(await fixture.rest(.get, "\(instance)/messages/\(id)/receipt").status == 404)
        func event(_ kind: TraceEvent.Kind, _ client: String, _ time: Int64, _ detail: String = "") -> TraceEvent {
            TraceEvent(kind: kind, time: time, clientID: client, messageID: id, topic: "t", detail: detail)
        }
        fixture.broker.content.withLock { content in
            content.events = [
                event(.published, "sender", 1), event(.stored, "away", 2), event(.delivered, "qos0", 2),
                event(.deliveredOffline, "away", 3), event(.stored, "late", 3), event(.acknowledged, "away", 4),
                event(.dropped, "late", 5, "expired"), event(.delivered, "gone", 5),
                event(.dropped, "gone", 6, "session_ended"),
            ]
        }
        let receipt = await fixture.rest(.get, "\(instance)/messages/\(id)/receipt").json
        #expect(receipt["sender"] == "sender" && receipt["publishedAt"]?.integer == 1 && receipt["topic"] == "t")
        #expect(receipt["hasMore"] == .bool(false))
        let receivers = receipt["receivers"]?.items ?? []
        #expect(receivers.map { $0["clientId"] } == ["away", "qos0", "late", "gone"])
        #expect(receivers.map { $0["state"] } == ["acknowledged", "delivered", "expired", "dropped"])
        #expect(receivers.map { $0["time"]?.integer } == [4, 2, 5, 6])
        #expect(receivers.map { $0["storedAt"]?.integer } == [2, nil, 3, nil])
        #expect(receivers.map { $0["deliveredAt"]?.integer } == [3, 2, nil, 5])
        #expect(receivers.map { $0["reason"]?.string } == [nil, nil, "expired", "session_ended"])
        #expect(await fixture.rest(.get, "\(instance)/messages/\(id)/receipt", key: Fixture.rival).status == 404)
        // The rest of it went out of the ring.
        fixture.broker.content.withLock { $0.events.removeFirst(5) }
        let late = await fixture.rest(.get, "\(instance)/messages/\(id)/receipt").json
        #expect(late["publishedAt"] == nil && late["sender"] == nil)
        #expect(late["receivers"]?.items?.first?["storedAt"] == nil)
    }

    @Test func `the trace of a client is read backwards, in pages that later events do not shift`() async {
        func event(_ kind: TraceEvent.Kind, _ time: Int64, _ client: String = Self.client) -> TraceEvent {
            TraceEvent(kind: kind, time: time, clientID: client, messageID: "\(time)")
        }
        let path = "\(instance)/clients/\(Self.client.replacing("@", with: "%40"))/trace"
        #expect(await fixture.rest(.get, path).json["items"]?.items?.isEmpty == true)
        fixture.broker.content.withLock { content in
            content.events = [
                event(.connected, 1), event(.published, 2), event(.stored, 3), event(.delivered, 3),
                event(.published, 3, "another"), event(.acknowledged, 3), event(.disconnected, 4),
            ]
        }
        var kinds: [String] = []
        var next: String?
        repeat {
            let cursor = next.map { "&after=\($0)" } ?? ""
            let page = await fixture.rest(.get, "\(path)?limit=2\(cursor)").json
            kinds += page["items"]?.items?.compactMap { $0["kind"]?.string } ?? []
            next = page["next"]?.string
            fixture.broker.content.withLock { $0.events.append(event(.connected, 5)) }
        } while next != nil
        #expect(kinds == ["disconnected", "acknowledged", "delivered", "stored", "published", "connected"])
        fixture.broker.content.withLock { $0.events.removeLast(3) }
        for (subject, expected) in [
            ("connections", ["disconnected", "connected"]),
            ("messages", ["acknowledged", "delivered", "stored", "published"]),
        ] {
            let page = await fixture.rest(.get, "\(path)?about=\(subject)").json
            #expect(page["items"]?.items?.compactMap { $0["kind"]?.string } == expected)
            #expect(page["next"] == nil)
        }
        #expect(await fixture.rest(.get, path, key: Fixture.rival).status == 404)
        for wrong in ["00", "2d31203030", "31"] {
            #expect(await fixture.rest(.get, "\(path)?after=\(wrong)").status == 422)
        }
    }

    @Test func `what a refused client is not told is for managers`() async {
        fixture.broker.content.withLock { content in
            content.events = [
                TraceEvent(
                    kind: .refused,
                    time: 1,
                    clientID: "c",
                    channelID: "0A",
                    detail: "not authorized",
                    explanation: "why"
                )
            ]
        }
        for (key, expected) in [(Fixture.data, nil), (Fixture.manager, "why" as JSONValue?)] {
            let event = await fixture.rest(.get, "\(instance)/clients/c/trace", key: key).json["items"]?.items?.first
            #expect(event?["detail"] == "not authorized" && event?["channelId"] == "0A")
            #expect(event?["explanation"] == expected)
        }
    }
}
