import MQTTCodec
import Testing

@testable import ApusBench

@Suite("Routes of a workload")
struct RoutesTests {
    private func routes(_ workload: Workload, _ change: (inout BenchPlan) -> Void = { _ in }) throws -> Routes {
        var plan = BenchPlan(workload: workload)
        (plan.publishers, plan.subscribers) = (3, 3)
        change(&plan)
        #expect(plan.complaint == nil)
        return Routes(plan, try BenchNames(topic: "a/{n}", run: "r", workload: workload))
    }

    private func topic(_ routes: Routes, _ publisher: Int, _ message: Int) -> String {
        if let steady = routes.steadyTopic(of: publisher) { return steady }
        var bytes: [UInt8] = []
        routes.appendTopic(publisher: publisher, message: message, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: [Workload.pairs, .fanIn, .fanOut, .wildcard, .retained, .offline, .idle])
    func `each message matches the filters of exactly those that must get it`(workload: Workload) throws {
        let routes = try routes(workload) { plan in
            (plan.publishers, plan.subscribers) = workload.isPaired ? (5, 5) : (3, 7)
            plan.filters = workload == .wildcard ? 6 : 1
            plan.messages = 40
            plan.duration = nil
        }
        let count = workload.isPaired ? 5 : 7
        for publisher in 0..<(workload.isPaired ? 5 : 3) {
            for message in 0..<(routes.messageCount(of: publisher) ?? 0) {
                let name = topic(routes, publisher, message)
                let stream = routes.place(publisher: publisher, message: message).stream
                for subscriber in 0..<count {
                    let matching = (0..<routes.filterCount).count {
                        Self.matches(routes.filter(subscriber: subscriber, $0), name)
                    }
                    let mustGet = routes.position(of: stream, at: subscriber) != nil
                    #expect(matching == (mustGet ? 1 : 0), "\(name) at subscriber \(subscriber)")
                }
            }
        }
    }

    private static func matches(_ filter: String, _ topic: String) -> Bool {
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        let wanted = filter.split(separator: "/", omittingEmptySubsequences: false)
        for (index, level) in wanted.enumerated() {
            if level == "#" { return true }
            guard index < levels.count, level == "+" || level == levels[index] else { return false }
        }
        return wanted.count == levels.count
    }

    @Test(arguments: [Workload.pairs, .fanIn, .fanOut, .retained, .offline, .idle])
    func `the messages of a stream are numbered from 0 without a gap`(workload: Workload) throws {
        let routes = try routes(workload) { plan in
            if !workload.isPaired { plan.subscribers = 8 }
            plan.messages = 30
            plan.duration = nil
        }
        var numbers: [Int: [Int]] = [:]
        for publisher in 0..<3 {
            for message in 0..<(routes.messageCount(of: publisher) ?? 0) {
                let place = routes.place(publisher: publisher, message: message)
                numbers[place.stream, default: []].append(place.sequence ?? -1)
                if workload != .retained { #expect(routes.publisher(of: place.stream) == publisher) }
            }
        }
        for (stream, found) in numbers { #expect(found.sorted() == Array(0..<found.count), "stream \(stream)") }
        let all = numbers.values.reduce(0) { $0 + $1.count }
        let expected = workload == .idle ? 8 : workload == .offline ? 240 : workload == .retained ? 30 : 90
        #expect(all == expected)
    }

    @Test
    func `in each stream of an offline run the order is that of publishing`() throws {
        let routes = try routes(.offline) { $0.subscribers = 8 }
        var next: [Int: Int] = [:]
        for message in 0..<100 {
            let place = routes.place(publisher: 1, message: message)
            #expect(place.sequence == next[place.stream, default: 0])
            next[place.stream, default: 0] += 1
        }
    }

    @Test(arguments: [(1, 8), (2, 4), (3, 3), (8, 1), (9, 1)])
    func `sessions share topics in groups`(perTopic: Int, streams: Int) throws {
        let routes = try routes(.offline) { plan in
            plan.subscribers = 8
            plan.sessionsPerTopic = perTopic
        }
        #expect(routes.storedStreams == streams)
        let filters = Set((0..<8).map { routes.filter(subscriber: $0, 0) })
        #expect(filters.count == streams)
    }

    @Test
    func `a direct message goes to the client id below the parent topic`() throws {
        var plan = BenchPlan(workload: .p2p)
        plan.qos = .atLeastOnce
        let names = try BenchNames(
            clientID: "GID_a@@@{role}{n}",
            topic: "demo/{run}/{n}",
            run: "r",
            workload: .p2p,
        )
        let routes = Routes(plan, names)
        #expect(routes.steadyTopic(of: 7) == "demo/p2p/GID_a@@@s7")
        #expect(routes.filterCount == 0)
    }

    @Test
    func `a share name stands before the filter`() throws {
        let routes = try routes(.fanIn) { $0.shareName = "g" }
        #expect(routes.filter(subscriber: 1, 0) == "$share/g/a/+")
        #expect(routes.copies == 1)
        #expect(!routes.isOrdered)
    }
}
