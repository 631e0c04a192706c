internal import ApusBench

/// Numbers as people read them.
enum Figures {
    /// With commas between thousands.
    static func grouped(_ number: Int) -> String {
        var digits = String(abs(number))
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        groups.insert(digits, at: 0)
        return (number < 0 ? "-" : "") + groups.joined(separator: ",")
    }

    /// With so many digits behind the point.
    static func fixed(_ number: Double, _ places: Int) -> String {
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        guard number.isFinite, abs(number) * scale < 9e18 else { return "?" }
        let scaled = Int((abs(number) * scale).rounded())
        let whole = scaled / Int(scale)
        let sign = number < 0 && scaled > 0 ? "-" : ""
        guard places > 0 else { return sign + String(whole) }
        let rest = String(scaled % Int(scale))
        return "\(sign)\(whole).\(String(repeating: "0", count: places - rest.count))\(rest)"
    }

    /// A duration in the unit that suits it.
    static func duration(_ nanoseconds: Int64) -> String {
        switch nanoseconds {
        case ..<10_000_000: "\(fixed(Double(nanoseconds) / 1e3, nanoseconds < 100_000 ? 1 : 0)) µs"
        case ..<10_000_000_000: "\(fixed(Double(nanoseconds) / 1e6, 1)) ms"
        default: "\(fixed(Double(nanoseconds) / 1e9, 1)) s"
        }
    }

    static func bytes(_ count: Double) -> String {
        switch abs(count) {
        case ..<10_240: "\(fixed(count, 0)) bytes"
        case ..<10_485_760: "\(fixed(count / 1024, 1)) KiB"
        default: "\(fixed(count / 1_048_576, 1)) MiB"
        }
    }

    /// The parts of all that are shown of a histogram, in order.
    static let percentiles: [(name: String, part: Double)] = [
        ("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999),
    ]
}
