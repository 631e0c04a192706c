internal import ApusMessage
internal import ApusSession
internal import CMeasure
internal import MQTTCodec

/// The send window of a session: a message enters it, is acknowledged, and leaves.
func benchmarkWindow(_ meter: Meter) {
    let message = Message(topic: "fleet/7/device/1234/state", payload: [UInt8](repeating: 7, count: 256))
    for size in [1, 32] as [UInt16] {
        for keeps in [false, true] {
            let what = keeps ? "kept for repetition" : "not kept"
            var window = OutboundPublishes(window: size)
            let once = keeps ? Delivery(message: message, qos: .atLeastOnce, retain: false) : nil
            meter.measure("window", "QoS 1, \(size) in flight, \(what)") { count in
                var identifiers: [UInt16] = []
                identifiers.reserveCapacity(Int(size))
                for _ in 0..<(count + Int(size) - 1) / Int(size) {
                    for _ in 0..<size { identifiers.append(window.sent(.atLeastOnce, keeping: once)) }
                    for identifier in identifiers { _ = window.receivedPubAck(identifier) }
                    identifiers.removeAll(keepingCapacity: true)
                }
                measure_keep(UInt64(window.outstandingCount))
            }
            let exactlyOnce = keeps ? Delivery(message: message, qos: .exactlyOnce, retain: false) : nil
            meter.measure("window", "QoS 2, \(size) in flight, \(what)") { count in
                var identifiers: [UInt16] = []
                identifiers.reserveCapacity(Int(size))
                for _ in 0..<(count + Int(size) - 1) / Int(size) {
                    for _ in 0..<size { identifiers.append(window.sent(.exactlyOnce, keeping: exactlyOnce)) }
                    for identifier in identifiers { _ = window.receivedPubRec(identifier, refused: false) }
                    for identifier in identifiers { _ = window.receivedPubComp(identifier) }
                    identifiers.removeAll(keepingCapacity: true)
                }
                measure_keep(UInt64(window.outstandingCount))
            }
        }
    }
}
