internal import ApusLoop
internal import Glibc

/// Measures parts of the broker by themselves and prints a line of JSON for each; `Benchmarks/micro.py` makes a table of them.
@main
struct Microbench {
    static func main() {
        do {
            let options = try MicrobenchOptions(CommandLine.arguments.dropFirst())
            let meter = Meter(options)
            for (group, run) in groups where options.includes(group) { try run(meter) }
        } catch {
            try? StandardStream.write(Array("ApusMicrobench: \(error)\n".utf8), to: STDERR_FILENO)
            exit(1)
        }
    }

    /// What there is to measure, by the names that `--only` takes.
    private static let groups: [(String, @Sendable (Meter) throws -> Void)] = [
        ("decoder", benchmarkDecoder),
        ("encoder", benchmarkEncoder),
        ("window", benchmarkWindow),
        ("log", benchmarkLog),
        ("index", benchmarkIndex),
    ]
}
