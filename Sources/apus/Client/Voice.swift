internal import ApusLoop

/// What a tool says to the person, on standard error.
struct Voice {
    enum Level {
        case quiet
        case usual
        case verbose
    }

    let level: Level

    var isVerbose: Bool { level == .verbose }

    /// Whether progress may be shown in place.
    var showsProgress: Bool { level != .quiet && StandardError.isTerminal }

    /// Something that the person has to know.
    func say(_ words: String) {
        if level != .quiet { StandardError.write("\(clearing)apus: \(Self.printable(words))\n") }
    }

    /// Something for those who look closely.
    func detail(_ words: String) {
        if isVerbose { StandardError.write("\(clearing)\(Self.printable(words))\n") }
    }

    /// Replaces the line of progress; nil takes it away.
    func progress(_ words: String?) {
        if showsProgress { StandardError.write(clearing + (words ?? "")) }
    }

    private var clearing: String { showsProgress ? "\r\u{1B}[K" : "" }

    /// Control characters that a broker put into its words must not reach the terminal.
    private static func printable(_ words: String) -> String {
        var text = ""
        for scalar in words.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            text.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
        }
        return text
    }
}
