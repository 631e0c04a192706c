import Testing

@testable import ApusMemory

@Suite("Timing wheel")
struct TimingWheelTests {
    private static let start: Int64 = 1_790_000_000_123

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `every deadline fires once, never early, and at most a tick late`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var now = Self.start
        var wheel = TimingWheel(now: now)
        var deadlines: [UInt64: Int64] = [:]
        var token: UInt64 = 0
        for _ in 0..<2_000 {
            for _ in 0..<Int.random(in: 0..<6, using: &random) {
                let span: Int64 = [100, 5_000, 300_000, 100_000_000, 20_000_000_000].randomElement(using: &random)!
                let deadline = now + Int64.random(in: -100...span, using: &random)
                token += 1
                wheel.schedule(token, at: deadline)
                deadlines[token] = max(deadline, now)
            }
            if let next = wheel.nextDeadline {
                #expect(deadlines.values.allSatisfy { $0 + 64 >= next })
            } else {
                #expect(deadlines.isEmpty)
            }
            let jump: Int64 = [1, 64, 1_000, 100_000, 40_000_000].randomElement(using: &random)!
            now += Int64.random(in: 0...jump, using: &random)
            while let fired = wheel.popDue(now: now) {
                let deadline = deadlines.removeValue(forKey: fired)
                #expect(deadline != nil)
                #expect(deadline ?? 0 <= now)
            }
            // What was scheduled in the past may take until the next tick after the one that is over.
            #expect(deadlines.values.allSatisfy { $0 + 2 * TimingWheel.resolution > now })
            #expect(wheel.count == deadlines.count)
        }
        wheel.advance(to: now + 30_000_000_000) { deadlines[$0] = nil }
        #expect(deadlines.isEmpty)
        #expect(wheel.nextDeadline == nil)
    }

    @Test
    func `following nextDeadline fires everything in order of ticks`() {
        var wheel = TimingWheel(now: 0)
        let deadlines: [Int64] = [10, 64, 65, 4_000, 4_096, 4_097, 300_000, 16_777_216, 86_400_000, 5_000_000_000]
        for (index, deadline) in deadlines.enumerated().reversed() { wheel.schedule(UInt64(index), at: deadline) }
        var fired: [Int] = []
        var steps = 0
        while let now = wheel.nextDeadline {
            steps += 1
            while let token = wheel.popDue(now: now) {
                #expect(now >= deadlines[Int(token)] && now < deadlines[Int(token)] + 64)
                fired.append(Int(token))
            }
        }
        // 10 and 64 share a tick, so do 65 … 128.
        #expect(fired.map { (deadlines[$0] + 63) / 64 } == deadlines.map { ($0 + 63) / 64 })
        #expect(steps < 60)
    }

    @Test
    func `a token that is always scheduled in the past does not keep the loop`() {
        var wheel = TimingWheel(now: 0)
        wheel.schedule(1, at: 0)
        var fired = 0
        while wheel.popDue(now: 1_000_000_000_000) != nil {
            fired += 1
            wheel.schedule(1, at: 0)
        }
        #expect(fired <= 10)
        #expect(wheel.popDue(now: 1_000_000_000_000 + 64) == 1)
    }

    @Test
    func `deadlines at the end of time are kept for years and do not overflow`() {
        var wheel = TimingWheel(now: Self.start)
        wheel.schedule(1, at: .max)
        wheel.schedule(2, at: .min)
        #expect(wheel.popDue(now: Self.start + 128) == 2)
        #expect(wheel.popDue(now: Self.start + 4 * 365 * 86_400_000) == nil)
        #expect(wheel.popDue(now: .max) == 1)
        #expect(wheel.popDue(now: .max) == nil)
        #expect(wheel.count == 0)
    }

    @Test
    func `a clock that steps back stands still`() {
        var wheel = TimingWheel(now: 10_000)
        wheel.schedule(1, at: 12_000)
        #expect(wheel.popDue(now: 5_000) == nil)
        #expect(wheel.popDue(now: 11_999) == nil)
        #expect(wheel.popDue(now: 12_064) == 1)
    }
}
