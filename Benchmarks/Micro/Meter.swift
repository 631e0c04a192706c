internal import CMeasure

/// Runs operations and prints what one of them costs.
///
/// Wall time is the median of several samples. Instructions are those outside the kernel, of all threads, by the
/// processor's counter or on Callgrind's simulated processor; allocations are counted in a run of their own, because
/// counting them takes time.
struct Meter {
    let options: MicrobenchOptions
    private let isSimulated: Bool
    private let hasInstructions: Bool

    /// Operations under Callgrind, which needs no repetition: it counts exactly.
    private static let simulatedOperations = 256

    init(_ options: MicrobenchOptions) {
        self.options = options
        isSimulated = measure_is_simulated() != 0
        hasInstructions = !isSimulated && measure_begin_instructions() == 0
    }

    /// Measures what can be done again and again.
    ///
    /// - Parameters:
    ///   - name: what one operation is.
    ///   - body: does it as often as it is told.
    func measure(_ group: String, _ name: String, _ body: (Int) throws -> Void) rethrows {
        try body(Self.simulatedOperations)
        if isSimulated { return try simulate(group, name, Self.simulatedOperations) { try body($0) } }
        var count = Self.simulatedOperations
        while true {
            let start = measure_nanoseconds()
            try body(count)
            if measure_nanoseconds() - start >= options.sampleNanoseconds || count >= 1 << 30 { break }
            count *= 2
        }
        var times: [Double] = []
        var instructions: [Double] = []
        for _ in 0..<options.samples {
            let (time, executed) = try sample { try body(count) }
            times.append(time / Double(count))
            instructions.append(executed / Double(count))
        }
        let (allocations, bytes) = try countAllocations { try body(count) }
        var line = Line(group, name, operations: count)
        line.addTimes(times)
        if hasInstructions { line.add("instructions", instructions.median) }
        line.addAllocations(allocations / Double(count), bytes / Double(count))
        line.print()
    }

    /// Measures what cannot be repeated, such as filling a table.
    ///
    /// - Parameters:
    ///   - operations: how many `body` does.
    func measureOnce(
        _ group: String,
        _ name: String,
        operations: Int,
        _ body: () throws -> Void,
    ) rethrows {
        if isSimulated { return try simulate(group, name, operations) { _ in try body() } }
        var time = 0.0
        var executed = 0.0
        let (allocations, bytes) = try countAllocations { (time, executed) = try sample(body) }
        var line = Line(group, name, operations: operations)
        line.addTimes([time / Double(operations)])
        if hasInstructions { line.add("instructions", executed / Double(operations)) }
        line.addAllocations(allocations / Double(operations), bytes / Double(operations))
        line.print()
    }

    /// Measures what changes what it works on: ten parts, one after the other, whose times are the samples.
    ///
    /// - Parameter body: does the operations of these numbers.
    func measureInParts(_ group: String, _ name: String, operations: Int, _ body: (Range<Int>) throws -> Void) rethrows
    {
        if isSimulated { return try simulate(group, name, operations) { try body(0..<$0) } }
        let part = operations / 10
        var times: [Double] = []
        var executed = 0.0
        let (allocations, bytes) = try countAllocations {
            for number in 0..<10 {
                let (time, instructions) = try sample { try body(number * part..<(number + 1) * part) }
                times.append(time / Double(part))
                executed += instructions
            }
        }
        let count = Double(10 * part)
        var line = Line(group, name, operations: 10 * part)
        line.addTimes(times)
        if hasInstructions { line.add("instructions", executed / count) }
        line.addAllocations(allocations / count, bytes / count)
        line.print()
    }

    /// Measures what `body` leaves behind, in bytes for each of its operations.
    func measureMemory(_ group: String, _ name: String, operations: Int, _ body: () throws -> Void) rethrows {
        let before = measure_heap_bytes()
        try body()
        let after = measure_heap_bytes()
        guard !isSimulated, before > 0 else { return }
        var line = Line(group, name, operations: operations)
        line.add("heap_bytes", (Double(after) - Double(before)) / Double(operations))
        line.print()
    }

    /// Nanoseconds and instructions of one run.
    private func sample(_ body: () throws -> Void) rethrows -> (time: Double, instructions: Double) {
        let before = measure_instructions()
        let start = measure_nanoseconds()
        try body()
        let end = measure_nanoseconds()
        return (Double(end - start), Double(measure_instructions() - before))
    }

    private func countAllocations(_ body: () throws -> Void) rethrows -> (count: Double, bytes: Double) {
        let (count, bytes) = (measure_allocations(), measure_allocated_bytes())
        measure_set_counting(1)
        defer { measure_set_counting(0) }
        try body()
        return (Double(measure_allocations() - count), Double(measure_allocated_bytes() - bytes))
    }

    /// Callgrind writes the count into a file of its own, named after the group and the name.
    private func simulate(_ group: String, _ name: String, _ operations: Int, _ body: (Int) throws -> Void) rethrows {
        measure_begin_simulation()
        try body(operations)
        measure_end_simulation("\(group): \(name)")
        Line(group, name, operations: operations).print()
    }
}

extension [Double] {
    var median: Double {
        let sorted = sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

/// What one benchmark came to, as a line of JSON.
private struct Line {
    private var members: [(name: String, value: String)]

    init(_ group: String, _ name: String, operations: Int) {
        // Names are ours and hold nothing that JSON would escape.
        members = [("group", "\"\(group)\""), ("name", "\"\(name)\""), ("operations", "\(operations)")]
    }

    mutating func add(_ name: String, _ value: Double) { members.append((name, Self.fixed(value))) }

    mutating func addTimes(_ nanoseconds: [Double]) {
        add("nanoseconds", nanoseconds.median)
        guard nanoseconds.count > 1 else { return }
        add("nanoseconds_least", nanoseconds.min() ?? 0)
        add("nanoseconds_most", nanoseconds.max() ?? 0)
    }

    mutating func addAllocations(_ count: Double, _ bytes: Double) {
        guard measure_can_count_allocations() != 0 else { return }
        add("allocations", count)
        add("allocated_bytes", bytes)
    }

    func print() { Swift.print("{\(members.map { "\"\($0.name)\": \($0.value)" }.joined(separator: ", "))}") }

    /// Three places behind the point.
    private static func fixed(_ value: Double) -> String {
        let thousandths = Int64((value.magnitude * 1000).rounded())
        let fraction = String(thousandths % 1000)
        let sign = value < 0 && thousandths > 0 ? "-" : ""
        return "\(sign)\(thousandths / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }
}
