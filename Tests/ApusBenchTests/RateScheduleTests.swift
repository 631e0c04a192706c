import Testing

@testable import ApusBench

@Suite("Rate schedule")
struct RateScheduleTests {
    @Test
    func `messages are due at their moments whatever becomes of those before`() {
        var schedule = RateSchedule(start: 1000, perSecond: 1e6)
        var taken = [999, 1000, 1500].map { schedule.take(at: $0) }
        #expect(taken == [nil, 1000, nil])
        // Three are late; each has its own moment.
        taken = [4500, 4500, 4500, 4500].map { schedule.take(at: $0) }
        #expect(taken == [2000, 3000, 4000, nil])
        #expect(schedule.next == 5000)
    }

    @Test
    func `what is due and was not taken is counted`() {
        var schedule = RateSchedule(start: 1000, perSecond: 1e6, part: 1, of: 2)
        #expect([0, 1999, 2000, 3999, 4000].map { schedule.dueCount(at: $0) } == [0, 0, 1, 1, 2])
        _ = schedule.take(at: 4000)
        #expect([2000, 4000, 6000].map { schedule.dueCount(at: $0) } == [0, 1, 2])
    }

    @Test
    func `schedules that share a rate fill each other's gaps`() {
        var parts = (0..<3).map { RateSchedule(start: 0, perSecond: 1e6, part: $0, of: 3) }
        var due: [Int64] = []
        for now in stride(from: 0, through: 8000, by: 500) {
            for part in parts.indices {
                if let moment = parts[part].take(at: Int64(now)) { due.append(moment) }
            }
        }
        #expect(due.sorted() == (0...8).map { Int64($0) * 1000 })
    }

    @Test
    func `an odd rate does not drift`() {
        var schedule = RateSchedule(start: 0, perSecond: 333.333)
        for _ in 0..<100_000 { _ = schedule.take(at: .max) }
        #expect(abs(schedule.next - Int64(100_000 / 333.333 * 1e9)) < 2)
    }
}
