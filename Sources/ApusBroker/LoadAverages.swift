internal import ApusMessage
internal import Glibc

/// What the broker has to do: exponentially weighted averages over 1, 5 and 15 minutes, each as a rate per minute.
///
/// Mosquitto's `$SYS/broker/load/…`, with its names and its arithmetic, so that dashboards made for it show the same.
struct LoadAverages: Sendable {
    private struct Source: Sendable {
        let name: String
        let count: @Sendable (Counters) -> UInt64

        init(_ name: String, _ count: @escaping @Sendable (Counters) -> UInt64) {
            self.name = name
            self.count = count
        }
    }

    private struct Load: Sendable {
        var count: UInt64 = 0
        /// One for each window.
        var perMinute = [Double](repeating: 0, count: LoadAverages.windows.count)
    }

    private static let sources = [
        Source("messages/received") { $0.packetsReceived },
        Source("messages/sent") { $0.packetsSent },
        Source("publish/received") { $0.publishesReceived },
        Source("publish/sent") { $0.publishesSent },
        Source("publish/dropped") { $0.droppedTotal },
        Source("bytes/received") { $0.bytesReceived },
        Source("bytes/sent") { $0.bytesSent },
        Source("sockets") { $0.connectionsAccepted },
        Source("connections") { $0.connectPackets },
    ]
    private static let windows: [(name: String, seconds: Double)] = [("1min", 60), ("5min", 300), ("15min", 900)]

    private var loads = [Load](repeating: Load(), count: sources.count)
    private var lastUpdate: Timestamp?

    /// Takes in what was counted since the last time; the first time is where counting begins.
    mutating func update(_ total: Counters, now: Timestamp) {
        let seconds = lastUpdate.map { Double(now.milliseconds - $0.milliseconds) / 1000 } ?? 0
        guard seconds > 0 || lastUpdate == nil else { return }
        lastUpdate = now
        for (index, source) in Self.sources.enumerated() {
            let count = source.count(total)
            if seconds > 0 {
                // A connection on its way between two shards may be missing for a moment.
                let more = count - min(loads[index].count, count)
                add(Double(more) * 60 / seconds, for: seconds, to: index)
            }
            loads[index].count = count
        }
    }

    private mutating func add(_ rate: Double, for seconds: Double, to index: Int) {
        for (window, length) in Self.windows.map(\.seconds).enumerated() {
            let weight = exp(-seconds / length)
            loads[index].perMinute[window] = rate + weight * (loads[index].perMinute[window] - rate)
        }
    }

    /// Names below `$SYS/broker/` and values with two decimals.
    var topics: [(String, String)] {
        zip(Self.sources, loads).flatMap { source, load in
            zip(Self.windows, load.perMinute).map { ("load/\(source.name)/\($0.name)", Self.text($1)) }
        }
    }

    private static func text(_ rate: Double) -> String {
        let hundredths = Int64(min(rate * 100, 1e18).rounded())
        let decimals = hundredths % 100
        return "\(hundredths / 100).\(decimals < 10 ? "0" : "")\(decimals)"
    }
}
