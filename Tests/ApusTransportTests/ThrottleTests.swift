import ApusBroker
import ApusMessage
import Testing

@testable import ApusTransport

@Suite("A client that publishes faster than its instance allows")
struct ThrottleTests {
    @Test(arguments: [1, 2])
    func `is read again in the next second, and nothing is lost`(shards: Int) throws {
        var limits = InstanceLimits()
        limits.clientPublishPerSecond = 20
        let server = try TestServer(shards: shards, instances: SingleInstance(InstanceSettings(limits: limits)))
        let watcher = try server.client()
        #expect(try watcher.connect("watcher"))
        try watcher.send(MQTT.subscribe("t"))
        #expect(try watcher.receive(5) == [0x90, 3, 0, 1, 0])
        let client = try server.client()
        #expect(try client.connect("client"))
        var all: [UInt8] = []
        // Enough that a second cannot begin twice while they are sent.
        for number in 0..<70 { all += MQTT.publish("t", MQTT.pattern(1000, seed: number)) }
        try client.send(all + MQTT.pingRequest)
        #expect(try watcher.receive(all.count) == all)
        #expect(try client.receive(2) == MQTT.pingResponse)
        #expect(!server.log.named("client.throttled").isEmpty)
    }
}
