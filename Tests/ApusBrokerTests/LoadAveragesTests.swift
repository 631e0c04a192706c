import ApusMessage
import MQTTCodec
import Testing

@testable import ApusBroker

@Suite("The broker's load in $SYS")
struct LoadAveragesTests {
    private func value(_ loads: LoadAverages, _ name: String) -> String? {
        loads.topics.first { $0.0 == "load/\(name)" }?.1
    }

    private func counted(_ publishes: UInt64) -> Counters {
        var counters = Counters()
        counters.publishesReceived = publishes
        return counters
    }

    private func at(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: 1_000_000 + seconds * 1000) }

    @Test func `the names are mosquitto's`() {
        let names = LoadAverages().topics.map(\.0)
        let kinds = [
            "messages/received", "messages/sent", "publish/received", "publish/sent", "publish/dropped",
            "bytes/received", "bytes/sent", "sockets", "connections",
        ]
        #expect(names == kinds.flatMap { kind in ["1min", "5min", "15min"].map { "load/\(kind)/\($0)" } })
    }

    @Test func `before anything was counted all are zero, and what came before the first look does not count`() {
        var loads = LoadAverages()
        #expect(loads.topics.allSatisfy { $0.1 == "0.00" })
        loads.update(counted(1_000), now: at(0))
        loads.update(counted(1_000), now: at(10))
        #expect(loads.topics.allSatisfy { $0.1 == "0.00" })
    }

    @Test func `a rate that stays is reached, the shorter the window the sooner`() {
        var loads = LoadAverages()
        for step in 0...6 { loads.update(counted(UInt64(step) * 100), now: at(Int64(step) * 10)) }
        // 600 a minute for one minute: 1 - 1/e of it, 1 - e^(-1/5), 1 - e^(-1/15).
        #expect(value(loads, "publish/received/1min") == "379.27")
        #expect(value(loads, "publish/received/5min") == "108.76")
        #expect(value(loads, "publish/received/15min") == "38.70")
        for step in 7...1_000 { loads.update(counted(UInt64(step) * 100), now: at(Int64(step) * 10)) }
        #expect(value(loads, "publish/received/1min") == "600.00")
        #expect(value(loads, "publish/received/15min") == "599.99")
        #expect(value(loads, "publish/sent/1min") == "0.00")
    }

    @Test func `how often one looks does not matter`() {
        var often = LoadAverages()
        var seldom = LoadAverages()
        for step in 0...60 { often.update(counted(UInt64(step) * 10), now: at(Int64(step))) }
        for step in 0...6 { seldom.update(counted(UInt64(step) * 100), now: at(Int64(step) * 10)) }
        #expect(often.topics.map(\.1) == seldom.topics.map(\.1))
    }

    @Test func `no time and a counter that runs backwards do no harm`() {
        var loads = LoadAverages()
        loads.update(counted(10), now: at(0))
        loads.update(counted(20), now: at(0))
        loads.update(counted(5), now: at(60))
        #expect(value(loads, "publish/received/1min") == "0.00")
        loads.update(counted(.max), now: at(61))
        #expect(value(loads, "publish/received/1min")?.hasSuffix(".00") == true)
    }

    @Test func `a subscriber sees the loads of all shards, as rates per minute`() throws {
        let harness = ShardHarness(shards: 2) { $0.statisticsSeconds = 10 }
        let reader = harness.client(harness.clientID(onShard: 0, "r"))
        let writers = (0..<2).map { harness.client(harness.clientID(onShard: $0, "w"), onShard: 1 - $0) }
        // Both shards have looked once; what follows counts.
        harness.advance(seconds: 11)
        for writer in writers {
            for number in 0..<50 { writer.publish("t", "\(number)") }
        }
        harness.advance(seconds: 20)
        reader.subscribe("$SYS/broker/load/publish/received/1min")
        let load = try #require(reader.takePayloads().last.flatMap(Double.init))
        // 100 messages within 10 s, and at most 10 s of rest: 600 a minute, weighed with 1 - e^(-1/6), and e^(-1/6) of that.
        #expect(load > 77 && load < 93)
    }
}
