internal import ApusLoop

/// The broker's processes, as far as the system tells about them.
struct BrokerProcess: Sendable {
    let numbers: [Int32]

    /// Processor time so far, of all together; nil when nobody says which processes they are, or when one has ended.
    var nanoseconds: Int64? { sum(ProcessorTime.nanoseconds(process:)) }

    /// Memory that is not swapped out, in bytes.
    var residentBytes: Int? { sum { Self.number("VmRSS:", process: $0) }.map { $0 * 1024 } }
    var threads: Int? { sum { Self.number("Threads:", process: $0) } }

    /// Whether it has hardly done anything yet, so that its memory grows by what it is given from now on.
    var isFresh: Bool { nanoseconds.map { $0 < 1_000_000_000 } ?? true }

    /// Those that have ended; one that nobody has waited for has a number, but no memory.
    var ended: [Int32] { numbers.filter { Self.number("VmRSS:", process: $0) == nil } }

    /// Of all processes together; what some of them have would be a wrong figure, and no small one.
    private func sum<Number: AdditiveArithmetic>(_ figure: (Int32) -> Number?) -> Number? {
        guard !numbers.isEmpty else { return nil }
        var sum = Number.zero
        for number in numbers {
            guard let one = figure(number) else { return nil }
            sum += one
        }
        return sum
    }

    /// A number in `/proc/PID/status`.
    private static func number(_ field: String, process: Int32) -> Int? {
        do {
            guard let bytes = try StandardStream.readAll(file: "/proc/\(process)/status", limit: 1 << 16) else {
                return nil
            }
            let text = String(decoding: bytes, as: UTF8.self)
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(field) }) else { return nil }
            return line.dropFirst(field.count).split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }
        } catch {
            // It has ended.
            return nil
        }
    }
}

extension BrokerProcess {
    /// Those of these numbers that no process has.
    static func missing(_ numbers: [Int32]) -> [Int32] {
        numbers.filter { ProcessorTime.nanoseconds(process: $0) == nil }
    }
}
