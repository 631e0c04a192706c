import ApusMemory
import ApusMessage
import ApusTopics
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("Wills")
struct WillTests {
    private let harness = ShardHarness(shards: 2)
    private let watcher: ScriptedClient

    init() {
        watcher = harness.client("watcher")
        watcher.subscribe("will/#", qos: .atLeastOnce)
    }

    private func client(
        delay: UInt32 = 0,
        expiry: UInt32 = 0,
        clean: Bool = true,
        messageExpiry: UInt32? = nil,
        retain: Bool = false,
    ) -> ScriptedClient {
        harness.client("c", clean: clean, expiry: expiry) {
            $0.will = Will(
                topic: "will/c",
                payload: Array("gone".utf8),
                qos: .atLeastOnce,
                retain: retain,
                willDelayInterval: delay,
                messageExpiryInterval: messageExpiry,
                properties: MessageProperties(contentType: "text", userProperties: [UserProperty("a", "b")]),
            )
        }
    }

    @Test(.spec("MQTT-3.1.2-8"))
    func `a lost connection publishes the will with its properties`() throws {
        client(messageExpiry: 30).lose()
        let will = try #require(watcher.takePublishes().first)
        #expect(will.text == "gone")
        #expect(will.qos == .atLeastOnce)
        #expect(will.messageExpiryInterval == 30)
        #expect(will.properties.contentType == "text")
        #expect(will.properties.userProperties == [UserProperty("a", "b")])
    }

    @Test(.spec("MQTT-3.1.2-10", "MQTT-3.14.4-3"))
    func `a normal DISCONNECT discards the will`() {
        let client = client(delay: 0, expiry: 100)
        client.disconnect()
        harness.advance(seconds: 200)
        #expect(watcher.takePublishes().isEmpty)
    }

    @Test func `a DISCONNECT that asks for it publishes the will`() {
        client().disconnect(.disconnectWithWill)
        #expect(watcher.takePayloads() == ["gone"])
    }

    @Test func `a protocol error publishes the will`() {
        client().send(.connect(Connect(clientIdentifier: "c")))
        #expect(watcher.takePayloads() == ["gone"])
    }

    @Test func `silence publishes the will`() {
        let client = harness.client("k") {
            $0.keepAliveSeconds = 2
            $0.will = Will(topic: "will/k", payload: Array("silent".utf8))
        }
        harness.advance(seconds: 4)
        #expect(client.isClosed)
        #expect(watcher.takePayloads() == ["silent"])
    }

    @Test(.spec("MQTT-3.1.3-9"))
    func `a delayed will waits, then comes once`() {
        client(delay: 10, expiry: 100).lose()
        harness.advance(seconds: 9.9)
        #expect(watcher.takePublishes().isEmpty)
        harness.advance(seconds: 0.2)
        #expect(watcher.takePayloads() == ["gone"])
        harness.advance(seconds: 200)
        #expect(watcher.takePublishes().isEmpty)
    }

    @Test(.spec("MQTT-3.1.3-9"))
    func `coming back in time cancels a delayed will`() {
        client(delay: 10, expiry: 100).lose()
        harness.advance(seconds: 5)
        let again = harness.client("c", clean: false, expiry: 100)
        #expect(again.connAck?.sessionPresent == true)
        harness.advance(seconds: 50)
        #expect(watcher.takePublishes().isEmpty)
        again.lose()
        harness.advance(seconds: 500)
        #expect(watcher.takePublishes().isEmpty)
    }

    @Test func `the end of the session brings a delayed will at once`() {
        client(delay: 100, expiry: 10).lose()
        harness.advance(seconds: 9)
        #expect(watcher.takePublishes().isEmpty)
        harness.advance(seconds: 1.2)
        #expect(watcher.takePayloads() == ["gone"])
        #expect(harness.sessionCount == 1)
        harness.advance(seconds: 200)
        #expect(watcher.takePublishes().isEmpty)
    }

    @Test func `without a session a delay does not delay`() {
        client(delay: 100, expiry: 0).lose()
        #expect(watcher.takePayloads() == ["gone"])
    }

    @Test func `a clean start ends the session and so brings the delayed will`() {
        client(delay: 100, expiry: 100).lose()
        _ = harness.client("c", clean: true)
        #expect(watcher.takePayloads() == ["gone"])
    }

    @Test(.spec("MQTT-3.1.3-9"))
    func `a takeover cancels a delayed will and publishes another`() {
        _ = client(delay: 10, expiry: 100)
        _ = client(delay: 0, expiry: 100, clean: false)
        harness.advance(seconds: 20)
        #expect(watcher.takePublishes().isEmpty)
        _ = harness.client("c", clean: false, expiry: 100)
        #expect(watcher.takePayloads() == ["gone"])
    }

    @Test(.spec("MQTT-3.1.2-14", "MQTT-3.1.2-15"), arguments: [true, false])
    func `a will is retained if it says so`(retain: Bool) {
        client(retain: retain).lose()
        let late = harness.client("late")
        late.subscribe("will/c")
        #expect(late.takePublishes().map(\.retain) == (retain ? [true] : []))
    }

    @Test func `each connection has its own will`() {
        client(delay: 0, expiry: 100).disconnect()
        let second = harness.client("c", clean: false, expiry: 100) {
            $0.will = Will(topic: "will/c", payload: Array("second".utf8))
        }
        second.lose()
        #expect(watcher.takePayloads() == ["second"])
    }
}
