import MQTTCodec
import Testing

@testable import ApusBench

@Suite("Plan of a run")
struct BenchPlanTests {
    @Test(arguments: Workload.allCases)
    func `the defaults of each workload can be run`(workload: Workload) {
        #expect(BenchPlan(workload: workload).complaint == nil)
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        let workload: Workload
        /// What the complaint says.
        let words: String
        let change: @Sendable (inout BenchPlan) -> Void

        init(_ workload: Workload, _ words: String, _ change: @escaping @Sendable (inout BenchPlan) -> Void) {
            self.workload = workload
            self.words = words
            self.change = change
        }

        var testDescription: String { "\(workload.rawValue): \(words)" }
    }

    @Test(arguments: [
        Mistake(.pairs, "payload") { $0.payloadBytes = 15 },
        Mistake(.pairs, "window") { $0.window = 0 },
        Mistake(.pairs, "own subscriber") { $0.subscribers = 3 },
        Mistake(.pairs, "how many messages") { $0.duration = nil },
        Mistake(.pairs, "rate") { $0.rate = 0 },
        Mistake(.offline, "QoS 0") { $0.qos = .atMostOnce },
        Mistake(.retained, "no rate") { $0.rate = 5 },
        Mistake(.fanOut, "share a subscription") { $0.shareName = "g" },
        Mistake(.idle, "at least one") { $0.subscribers = 0 },
        Mistake(.wildcard, "filters") { $0.filters = 1 << 30 },
        Mistake(.storm, "threads") { $0.threads = 65 },
        Mistake(.storm, "no rate") { $0.rate = 5 },
        Mistake(.storm, "rate of connections") { $0.connectRate = 0 },
        Mistake(.publish, "at least one") { $0.publishers = 0 },
        Mistake(.publish, "at most 1048576") { $0.payload = [UInt8](repeating: 0, count: 1_048_577) },
        Mistake(.subscribe, "at least one") { $0.subscribers = 0 },
        Mistake(.pairs, "more than 0 seconds") { $0.duration = .zero },
        Mistake(.pairs, "timeout") { $0.patience = .zero },
        Mistake(.pairs, "interval") { $0.sampleInterval = .milliseconds(99) },
    ])
    func `a plan that cannot be run says why`(mistake: Mistake) throws {
        var plan = BenchPlan(workload: mistake.workload)
        mistake.change(&plan)
        let complaint = try #require(plan.complaint)
        #expect(complaint.contains(mistake.words))
    }
}
