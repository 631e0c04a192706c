/// Who sends what where, and who has to get it: the shape of a workload.
///
/// Publishers, subscribers and streams count from 0. What one receiver gets of one stream is one sequence 0, 1, 2, …;
/// `SequenceTracker` looks after it.
package struct Routes: Sendable {
    private let plan: BenchPlan
    private let names: BenchNames
    private let head: [UInt8]
    private let tail: [UInt8]

    package init(_ plan: BenchPlan, _ names: BenchNames) {
        self.plan = plan
        self.names = names
        head = Array(names.topicHead.utf8)
        tail = Array(names.topicTail.utf8)
    }

    // MARK: - Messages

    /// How many deliveries each message has to cause.
    package var copies: Int { Self.copies(plan) }

    static func copies(_ plan: BenchPlan) -> Int {
        switch plan.workload {
        case .fanIn, .fanOut: plan.shareName == nil ? plan.subscribers : 1
        case .retained, .offline, .storm, .publish, .subscribe: 0
        case .pairs, .p2p, .wildcard, .idle: 1
        }
    }

    /// Different topics in `offline`.
    var storedStreams: Int { (plan.subscribers + plan.sessionsPerTopic - 1) / plan.sessionsPerTopic }

    /// How many messages a publisher sends; nil when time ends it.
    package func messageCount(of publisher: Int) -> Int? {
        switch plan.workload {
        case .pairs, .fanIn, .fanOut, .p2p, .wildcard, .publish: plan.messages
        case .retained: share(plan.messages ?? 0, publisher)
        case .offline: share(storedStreams, publisher) * (plan.messages ?? 0)
        case .idle: share(plan.subscribers, publisher)
        case .storm, .subscribe: 0
        }
    }

    /// How many of so many things fall to a publisher when they are dealt out in turn.
    private func share(_ count: Int, _ publisher: Int) -> Int {
        max(0, count - publisher + plan.publishers - 1) / plan.publishers
    }

    /// The stream of a publisher's message and, if that follows from it, its number in the stream.
    ///
    /// With `wildcard` the number is how many messages of the stream were sent before.
    @inline(__always)
    package func place(publisher: Int, message: Int) -> (stream: Int, sequence: Int?) {
        switch plan.workload {
        case .pairs, .fanIn, .fanOut, .p2p, .storm, .publish, .subscribe: return (publisher, message)
        case .wildcard:
            let target = target(publisher, message) / plan.filters
            return (publisher * plan.subscribers + target, nil)
        case .retained: return (0, publisher + plan.publishers * message)
        case .offline:
            let mine = share(storedStreams, publisher)
            return (publisher + plan.publishers * (message % mine), message / mine)
        case .idle: return (publisher + plan.publishers * message, 0)
        }
    }

    /// The topic of all messages of a publisher; nil where each has another.
    package func steadyTopic(of publisher: Int) -> String? {
        switch plan.workload {
        case .pairs, .fanIn, .fanOut, .publish: names.topic("\(publisher)")
        case .p2p: names.directTopic(names.clientID(.subscriber, publisher))
        case .wildcard, .retained, .offline, .idle, .storm, .subscribe: nil
        }
    }

    /// Appends the topic of one message where there is no steady one.
    func appendTopic(publisher: Int, message: Int, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: head)
        let place = place(publisher: publisher, message: message)
        switch plan.workload {
        case .wildcard: appendWildcardLevels(publisher, message, to: &bytes)
        case .retained:
            bytes.append(decimal: (place.sequence ?? 0) / 100)
            bytes.append(UInt8(ascii: "/"))
            bytes.append(decimal: (place.sequence ?? 0) % 100)
        case .pairs, .fanIn, .fanOut, .p2p, .offline, .idle, .storm, .publish, .subscribe:
            bytes.append(decimal: place.stream)
        }
        bytes.append(contentsOf: tail)
    }

    /// Who gets a publisher's message in `wildcard`, by which of all filters: a fixed, well mixed order.
    @inline(__always)
    private func target(_ publisher: Int, _ message: Int) -> Int {
        var bits = UInt32(truncatingIfNeeded: message &* plan.publishers &+ publisher)
        bits ^= bits &>> 16
        bits &*= 0x7FEB_352D
        bits ^= bits &>> 15
        bits &*= 0x846C_A68B
        bits ^= bits &>> 16
        return Int(bits) % (plan.subscribers * plan.filters)
    }

    private func appendWildcardLevels(_ publisher: Int, _ message: Int, to bytes: inout [UInt8]) {
        let target = target(publisher, message)
        let (client, filter, value) = (target / plan.filters, target % plan.filters, message % 1000)
        switch filter % 4 {
        case 0: bytes.append("c", client, "/j", filter, "/v", value)
        case 1: bytes.append("c", client, "/q", value, "/j", filter)
        case 2:
            bytes.append("z", value, "/s", client, "_", filter)
            bytes.append(contentsOf: "/x".utf8)
        default: bytes.append("c", client, "/d", filter, "/a/b", value)
        }
    }

    // MARK: - Subscriptions

    /// How many filters each subscriber has.
    package var filterCount: Int {
        switch plan.workload {
        case .wildcard, .storm: plan.filters
        case .p2p, .publish: 0
        case .pairs, .fanIn, .fanOut, .retained, .offline, .idle, .subscribe: 1
        }
    }

    /// A subscriber's filter; `index` is below `filterCount`.
    package func filter(subscriber: Int, _ index: Int) -> String {
        let levels =
            switch plan.workload {
            case .pairs, .p2p, .idle, .publish, .subscribe: "\(subscriber)"
            case .fanIn: "+"
            case .fanOut: plan.publishers == 1 ? "0" : "+"
            case .storm: "\(subscriber)_\(index)"
            case .offline: "\(subscriber / plan.sessionsPerTopic)"
            case .retained: "#"
            case .wildcard:
                switch index % 4 {
                case 0: "c\(subscriber)/j\(index)/+"
                case 1: "c\(subscriber)/+/j\(index)"
                case 2: "+/s\(subscriber)_\(index)/x"
                default: "c\(subscriber)/d\(index)/#"
                }
            }
        return (plan.shareName.map { "$share/\($0)/" } ?? "") + names.topic(levels)
    }

    // MARK: - Streams

    /// The publisher of a stream.
    @inline(__always)
    package func publisher(of stream: Int) -> Int {
        switch plan.workload {
        case .pairs, .fanIn, .fanOut, .p2p, .publish: stream
        case .wildcard: stream / plan.subscribers
        case .retained, .storm, .subscribe: 0
        case .offline, .idle: stream % plan.publishers
        }
    }

    /// How many streams a subscriber gets.
    package var streamsPerSubscriber: Int {
        switch plan.workload {
        case .fanIn, .fanOut, .wildcard: plan.publishers
        case .pairs, .p2p, .retained, .offline, .idle: 1
        case .storm, .publish, .subscribe: 0
        }
    }

    /// Which of its streams this is to a subscriber; nil for one that it must not get.
    @inline(__always)
    package func position(of stream: Int, at subscriber: Int) -> Int? {
        switch plan.workload {
        case .pairs, .p2p, .idle: return stream == subscriber ? 0 : nil
        case .fanIn, .fanOut: return stream < plan.publishers ? stream : nil
        case .wildcard:
            let (publisher, target) = stream.quotientAndRemainder(dividingBy: plan.subscribers)
            return target == subscriber && publisher < plan.publishers ? publisher : nil
        case .retained: return stream == 0 ? 0 : nil
        case .offline: return stream == subscriber / plan.sessionsPerTopic ? 0 : nil
        case .storm, .publish, .subscribe: return nil
        }
    }

    /// Whether members of a group share the streams, so that any of them may get a message.
    package var isShared: Bool { plan.shareName != nil }

    /// Whether a receiver must get a stream in its order: one topic, one subscription [MQTT-4.6.0-6].
    package var isOrdered: Bool {
        switch plan.workload {
        case .pairs, .p2p, .fanIn, .fanOut, .offline, .idle: !isShared
        case .wildcard, .retained, .storm, .publish, .subscribe: false
        }
    }

    /// How many numbers behind a gap are remembered; see `SequenceTracker`.
    package var trackingWindow: Int {
        switch plan.workload {
        // Retained messages come in any order, so that any of them may be the last.
        case .retained: Self.powerOfTwo(plan.messages ?? 0)
        case .offline: Self.powerOfTwo(min(plan.messages ?? 0, 1 << 16))
        default: isShared ? 1 << 16 : SequenceTracker.orderedWindow
        }
    }

    private static func powerOfTwo(_ least: Int) -> Int {
        var value = 64
        while value < least { value *= 2 }
        return value
    }
}

extension [UInt8] {
    /// Appends a number of 0 and more in decimal digits.
    mutating func append(decimal number: Int) {
        var divisor = 1
        while number / divisor >= 10 { divisor *= 10 }
        var rest = number
        while divisor > 0 {
            append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest / divisor))
            rest %= divisor
            divisor /= 10
        }
    }

    /// Appends three words, each with a number behind it.
    fileprivate mutating func append(
        _ first: String,
        _ number: Int,
        _ second: String,
        _ next: Int,
        _ third: String,
        _ last: Int,
    ) {
        append(contentsOf: first.utf8)
        append(decimal: number)
        append(contentsOf: second.utf8)
        append(decimal: next)
        append(contentsOf: third.utf8)
        append(decimal: last)
    }
}
