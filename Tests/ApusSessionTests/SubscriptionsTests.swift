import ApusSession
import ApusTopics
import MQTTCodec
import Testing

@Suite("Subscriptions of a session")
struct SubscriptionsTests {
    private func subscription(_ text: String, _ qos: QoS = .atMostOnce) throws -> Subscription {
        Subscription(filter: try TopicFilter(text), options: SubscriptionOptions(qos: qos), identifier: 0)
    }

    @Test(.spec("MQTT-3.8.4-3"))
    func `the same filter replaces, another share name does not`() throws {
        var subscriptions = Subscriptions()
        let first = subscriptions.set(try subscription("a"))
        let again = subscriptions.set(try subscription("a", .exactlyOnce))
        let shared = subscriptions.set(try subscription("$share/g/a"))
        #expect(first && !again && shared)
        #expect(subscriptions.map(\.options.qos) == [.exactlyOnce, .atMostOnce])
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>, [2, 4, 40])
    func `random changes agree with a dictionary, with one, a few and many`(seed: UInt64, names: Int) throws {
        var random = SeededGenerator(seed: seed)
        var subscriptions = Subscriptions()
        var model: [String: QoS] = [:]
        for _ in 0..<600 {
            let text = "t/\(Int.random(in: 0..<names, using: &random))"
            let filter = try TopicFilter(text)
            if Int.random(in: 0..<5, using: &random) < 3 {
                let qos = QoS.allCases.randomElement(using: &random) ?? .atMostOnce
                let isNew = subscriptions.set(try subscription(text, qos))
                #expect(isNew == (model.updateValue(qos, forKey: text) == nil))
            } else {
                let wasThere = subscriptions.remove(filter)
                #expect(wasThere == (model.removeValue(forKey: text) != nil))
            }
            #expect(subscriptions.contains(filter) == (model[text] != nil))
            #expect(subscriptions.count == model.count)
        }
        let held = Dictionary(uniqueKeysWithValues: subscriptions.map { ($0.filter.text, $0.options.qos) })
        #expect(held == model, "seed \(seed)")
    }
}
