import Testing

@testable import ApusManagement

@Suite("Rates of actions")
struct ActionThrottleTests {
    @Test func `a second's worth is there at once, and fills again in a second`() {
        let throttle = ActionThrottle()
        func taken(_ now: Int64) -> Int {
            (0..<20).count { _ in throttle.take("A", account: "shop", rate: 10, now: now) }
        }
        #expect(taken(5_000) == 10)
        #expect(taken(5_500) == 5)
        #expect(taken(60_000) == 10)
    }

    @Test func `accounts and actions have their own`() {
        let throttle = ActionThrottle()
        for (action, account) in [("A", "shop"), ("B", "shop"), ("A", "rival")] {
            #expect(throttle.take(action, account: account, rate: 1, now: 0))
            #expect(!throttle.take(action, account: account, rate: 1, now: 0))
        }
    }

    @Test func `a clock that is set back keeps nobody out`() {
        let throttle = ActionThrottle()
        #expect(throttle.take("A", account: "shop", rate: 1, now: 1_000_000))
        #expect(!throttle.take("A", account: "shop", rate: 1, now: 400_000))
        #expect(throttle.take("A", account: "shop", rate: 1, now: 401_000))
    }
}
