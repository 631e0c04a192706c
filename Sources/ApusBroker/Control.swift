package import ApusMessage
internal import ApusSession
internal import ApusStore
internal import ApusTopics
internal import MQTTCodec
internal import Synchronization

// Management's questions and orders, carried to the shards and back.

extension Broker: BrokerControl {
    package func publish(_ message: ManagedPublish) async -> PublishReport {
        // Messages of one topic go the same way, so that their order stays.
        await withCheckedContinuation { continuation in
            call(homeShard(of: message.topic)) { shard in
                shard.publish(message) { continuation.resume(returning: $0) }
            }
        }
    }

    package func areConnected(_ instance: InstanceNumber, clientIDs: [String]) async -> [Bool] {
        var answers: [Bool] = []
        for clientID in clientIDs {
            answers.append(await ask(homeShard(of: clientID)) { $0.isConnected(instance, clientID) })
        }
        return answers
    }

    package func connectionCount(_ instance: InstanceNumber) -> Int {
        // Without one until somebody comes.
        liveInstance(instance)?.connectionCount.load(ordering: .relaxed) ?? 0
    }

    package func session(_ instance: InstanceNumber, clientID: String) async -> SessionDetails? {
        await ask(homeShard(of: clientID)) { $0.details(instance, clientID) }
    }

    package func sessions(
        _ instance: InstanceNumber,
        after: String,
        limit: Int,
        connectedOnly: Bool,
    ) async -> [SessionDetails] {
        var page = Page<String>(after: after, limit: limit) { $0 }
        for shard in 0..<configuration.shardCount {
            var from: Int? = 0
            while let start = from {
                let slice = await ask(shard) { $0.clientIDs(instance, from: start, connectedOnly: connectedOnly) }
                page.add(slice.clientIDs)
                from = slice.next
            }
        }
        var details: [SessionDetails] = []
        for clientID in page.items {
            // It may have gone in the meantime.
            if let one = await session(instance, clientID: clientID) { details.append(one) }
        }
        return details
    }

    package func disconnect(_ instance: InstanceNumber, clientID: String, explanation: String) async -> Bool {
        await ask(homeShard(of: clientID)) { $0.disconnect(instance, clientID, explanation) }
    }

    package func endSession(_ instance: InstanceNumber, clientID: String, explanation: String) async -> Bool {
        await withCheckedContinuation { continuation in
            call(homeShard(of: clientID)) { shard in
                shard.endSession(instance, clientID, explanation) { continuation.resume(returning: $0) }
            }
        }
    }

    package func retained(
        _ instance: InstanceNumber,
        filter: String,
        after: String,
        limit: Int,
        bytes: Int,
    ) async -> RetainedPage {
        guard let filter = try? TopicFilter(filter) else { return RetainedPage(messages: [], hasMore: false) }
        var page = Page<Message>(after: after, limit: limit) { $0.topic }
        let scan = self.instance(instance).retained.scan(filter)
        while !scan.isFinished {
            page.add(scan.next(limit: 1_024))
            await Task.yield()
        }
        let items = page.items
        var shown: [RetainedDetails] = []
        var left = bytes
        for message in items {
            left -= message.payloadCount
            guard shown.isEmpty || left >= 0 else { break }
            shown.append(
                RetainedDetails(
                    topic: message.topic,
                    payload: Array(message.payload),
                    qos: Int(message.qos.rawValue),
                    expiresAt: message.expiresAt == .distantFuture ? nil : message.expiresAt.milliseconds,
                )
            )
        }
        return RetainedPage(messages: shown, hasMore: shown.count < items.count || items.count == limit)
    }

    package func removeRetained(_ instance: InstanceNumber, topic: String) async -> Bool {
        await ask(homeShard(of: topic)) { $0.removeRetained(instance, topic) }
    }

    package func trace(_ query: TraceQuery) async -> TracePage {
        var number: MessageNumber?
        if let text = query.messageID {
            guard let known = MessageNumber(text, epoch: epoch) else { return TracePage(events: [], total: 0) }
            number = known
        }
        let selection = TraceSelection(query, number: number)
        var page = TraceWindow(query)
        for shard in 0..<configuration.shardCount {
            var start: UInt64? = 0
            var end: UInt64?
            while let from = start {
                let slice = await ask(shard) { [end] in $0.trace.slice(of: selection, from: from, until: end) }
                page.add(slice.entries)
                start = slice.next
                end = slice.end
            }
        }
        return TracePage(events: page.entries.map { TraceEvent($0, epoch: epoch) }, total: page.total)
    }

    package func metrics() async -> BrokerMetrics {
        var total = Counters()
        for shard in 0..<configuration.shardCount { total += await ask(shard) { $0.currentCounters } }
        return BrokerMetrics(samples: samples(total) + furtherSamples)
    }

    // MARK: - Asking

    /// Has something done on a shard's thread.
    private func call(_ shard: Int, _ body: @escaping @Sendable (inout Shard) -> Void) {
        post(to: shard, .call(ShardCall(body: body)))
    }

    private func ask<Answer: Sendable>(
        _ shard: Int,
        _ body: @escaping @Sendable (inout Shard) -> Answer,
    ) async -> Answer {
        await withCheckedContinuation { continuation in
            call(shard) { continuation.resume(returning: body(&$0)) }
        }
    }
}

/// The events of a page, found among any number: no more are held than the page and those before it, and some.
private struct TraceWindow {
    private let offset: Int
    private let limit: Int
    private let newestFirst: Bool
    private var found: [TraceRing.Entry] = []
    private(set) var total = 0

    init(_ query: TraceQuery) {
        offset = max(0, query.offset)
        limit = query.limit
        newestFirst = query.newestFirst
    }

    mutating func add(_ more: [TraceRing.Entry]) {
        total += more.count
        found += more
        let needed = offset.addingReportingOverflow(limit)
        guard !needed.overflow, found.count > 2 * min(needed.partialValue, .max / 4) + 16_384 else { return }
        found = Array(sorted.prefix(needed.partialValue))
        // In the order in which shards saw them, for the next time.
        if newestFirst { found.reverse() }
    }

    /// Stable, so that what one shard saw within a millisecond stays in order.
    private var sorted: [TraceRing.Entry] {
        let oldestFirst = found.sorted { $0.time < $1.time }
        return newestFirst ? oldestFirst.reversed() : oldestFirst
    }

    var entries: [TraceRing.Entry] { Array(sorted.dropFirst(offset).prefix(limit)) }
}

/// The first items by key behind a certain one, found among any number.
private struct Page<Item> {
    private let after: String
    private let limit: Int
    private let key: (Item) -> String
    private var found: [Item] = []

    init(after: String, limit: Int, key: @escaping (Item) -> String) {
        self.after = after
        self.limit = limit
        self.key = key
    }

    mutating func add(_ more: [Item]) {
        found += more.filter { key($0) > after }
        // Now and then, so that a page of millions needs little memory.
        if found.count > 4 * limit + 4_096 { found = items }
    }

    var items: [Item] { Array(found.sorted { key($0) < key($1) }.prefix(limit)) }
}
