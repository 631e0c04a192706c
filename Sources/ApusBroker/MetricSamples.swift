internal import ApusMessage
internal import ApusTopics
internal import Synchronization

// The counters under the names of docs/operations.md.

extension Broker {
    func samples(_ total: Counters) -> [BrokerMetrics.Sample] {
        var samples: [BrokerMetrics.Sample] = []
        func add(
            _ name: String,
            _ kind: BrokerMetrics.Kind,
            _ help: String,
            _ value: Double,
            _ labels: [(String, String)] = [],
        ) {
            samples.append(
                BrokerMetrics.Sample(name: "apus_\(name)", help: help, kind: kind, labels: labels, value: value)
            )
        }
        add("connections", .gauge, "Live connections.", Double(connectionCount.load(ordering: .relaxed)))
        add("sessions", .gauge, "Sessions, connected or not.", Double(total.sessions))
        add("instances_in_use", .gauge, "Instances that anything has come to.", Double(liveInstances.count))
        add("retained_messages", .gauge, "Retained messages.", Double(retainedBudget.count))
        add("retained_bytes", .gauge, "Bytes of retained messages.", Double(retainedBudget.byteCount))
        let counts = liveInstances.map(\.subscriptions.counts)
        add("subscriptions", .gauge, "Subscriptions.", Double(counts.reduce(0) { $0 + $1.subscriptions }))
        let queued = "Messages waiting in the queues of sessions, by whether the client is connected."
        add("queued_messages", .gauge, queued, Double(total.queuedAway), [("client", "away")])
        let queuedConnected = Double(total.queuedMessages - total.queuedAway)
        add("queued_messages", .gauge, queued, queuedConnected, [("client", "connected")])
        add("queued_bytes", .gauge, "Bytes of messages waiting in the queues of sessions.", Double(total.queuedBytes))
        let inFlight = "Messages of QoS 1 and 2 that were sent to clients and are not acknowledged."
        add("in_flight_messages", .gauge, inFlight, Double(total.inFlight))
        add("connections_accepted_total", .counter, "Connections accepted.", Double(total.connectionsAccepted))
        add("connections_refused_total", .counter, "Connections refused.", Double(total.connectionsRefused))
        add("connections_closed_total", .counter, "Connections closed.", Double(total.connectionsClosed))
        add("connect_packets_total", .counter, "CONNECT packets.", Double(total.connectPackets))
        add("sessions_taken_over_total", .counter, "Sessions taken over.", Double(total.sessionsTakenOver))
        add("protocol_errors_total", .counter, "Protocol errors of clients.", Double(total.protocolErrors))
        add("packets_received_total", .counter, "MQTT packets received.", Double(total.packetsReceived))
        add("packets_sent_total", .counter, "MQTT packets sent.", Double(total.packetsSent))
        add("bytes_received_total", .counter, "Bytes received.", Double(total.bytesReceived))
        add("bytes_sent_total", .counter, "Bytes sent.", Double(total.bytesSent))
        add("messages_received_total", .counter, "PUBLISH packets received.", Double(total.publishesReceived))
        add("messages_sent_total", .counter, "PUBLISH packets sent.", Double(total.publishesSent))
        add("messages_unrouted_total", .counter, "Messages that matched no subscription.", Double(total.unrouted))
        add("publishers_throttled_total", .counter, "Pauses of publishers over a rate limit.", Double(total.throttled))
        for reason in DropReason.allCases {
            let help = "Messages that did not reach a client, by reason."
            add("messages_dropped_total", .counter, help, Double(total.dropped(reason)), [("reason", reason.name)])
        }
        samples.append(
            BrokerMetrics.Sample(
                name: "apus_delivery_duration_seconds",
                help: "From the read of messages to the send to their receivers, the slowest of a sampled tick.",
                durations: total.deliveryDurations
            )
        )
        return samples
    }
}
