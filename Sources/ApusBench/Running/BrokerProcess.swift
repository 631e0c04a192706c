internal import ApusLoop

/// The broker's processes, as far as the system tells about them.
struct BrokerProcess: Sendable {
    let numbers: [Int32]

    /// Processor time so far, of all together; nil when nobody says which processes they are.
    var nanoseconds: Int64? {
        numbers.isEmpty ? nil : numbers.compactMap(ProcessorTime.nanoseconds(process:)).reduce(0, +)
    }

    /// Memory that is not swapped out, in bytes.
    var residentBytes: Int? { sum("VmRSS:").map { $0 * 1024 } }
    var threads: Int? { sum("Threads:") }

    /// The sum of a number in `/proc/PID/status`.
    private func sum(_ field: String) -> Int? {
        guard !numbers.isEmpty else { return nil }
        return numbers.compactMap { Self.number(field, process: $0) }.reduce(0, +)
    }

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
