/// What the command line asks for.
struct MicrobenchOptions: Sendable {
    /// Groups to measure; empty for all.
    var only: [String] = []
    /// Sizes of the subscription index.
    var filters = [1_000, 100_000, 1_000_000]
    /// Where the log benchmarks make their folders; they belong on the disk that is meant.
    var folder = "."
    /// Messages of a log benchmark.
    var logMessages = 200_000
    /// How often each wall time is taken.
    var samples = 9
    /// Wall time of one sample, in nanoseconds.
    var sampleNanoseconds: Int64 = 20_000_000

    /// An option that there is not, or one without its value.
    struct Mistake: Error, CustomStringConvertible {
        let description: String
    }

    init(_ arguments: ArraySlice<String>) throws {
        var rest = arguments
        while let option = rest.popFirst() {
            switch option {
            case "--quick":
                (filters, logMessages, samples, sampleNanoseconds) = ([1_000], 2_000, 3, 500_000)
            case "--only": only.append(try Self.value(of: option, &rest))
            case "--folder": folder = try Self.value(of: option, &rest)
            case "--filters":
                let text = try Self.value(of: option, &rest)
                filters = text.split(separator: ",").compactMap { Int($0) }.filter { $0 >= 1_000 }
                guard !filters.isEmpty else {
                    throw Mistake(description: "--filters takes numbers of 1000 and more, as in 1000,100000")
                }
            default:
                throw Mistake(
                    description: """
                        no option \(option); there are --quick, --only GROUP, --folder DIRECTORY and --filters N,N,…
                        """
                )
            }
        }
    }

    func includes(_ group: String) -> Bool { only.isEmpty || only.contains(group) }

    private static func value(of option: String, _ rest: inout ArraySlice<String>) throws -> String {
        guard let value = rest.popFirst() else { throw Mistake(description: "\(option) needs a value") }
        return value
    }
}
