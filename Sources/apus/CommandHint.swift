internal import ApusConfiguration
internal import ArgumentParser

/// What was probably meant by a command line that was not understood.
enum CommandHint {
    /// - Parameters:
    ///   - message: What the parser says.
    ///   - arguments: The command line without the executable.
    static func hint(_ message: String, _ arguments: [String]) -> String? {
        let (command, rest) = verb(of: arguments)
        if let word = rest.first, !word.hasPrefix("-"),
            // Where a verb has a default, the word may well be an argument of that.
            command.configuration.defaultSubcommand == nil || message.contains("Unexpected argument '\(word)'"),
            let meant = nearestName(to: word, among: command.configuration.subcommands.map(name))
        {
            return "did you mean `\(meant)`?"
        }
        if message.contains("Missing value for '-h ") {
            return "-h is the broker's host here, as with mosquitto_pub and mosquitto_sub; `--help` gives help"
        }
        if let (option, value) = optionBeforeDash(message, rest) {
            return "a value that begins with `-` stands behind `=`: `\(option)=\(value)`"
        }
        return nil
    }

    /// The option that the parser found without a value, when what stands behind it was meant as one: a number below zero, not another option.
    private static func optionBeforeDash(_ message: String, _ arguments: ArraySlice<String>) -> (String, String)? {
        let start = "Missing value for '"
        guard let found = message.firstRange(of: start) else { return nil }
        let option = message[found.upperBound...].prefix { $0 != " " && $0 != "'" }
        guard let place = arguments.firstIndex(of: String(option)), place + 1 < arguments.endIndex else { return nil }
        let value = arguments[place + 1]
        guard value.hasPrefix("-"), let digit = value.dropFirst().first, digit.isNumber || digit == "." else {
            return nil
        }
        return (String(option), value)
    }

    /// The option that the verb does not have, and the nearest that it has.
    ///
    /// The parser looks for what is missing first, and a verb for what it is to do, and neither may come to what is misspelt.
    ///
    /// - Returns: `nil` where there is none, or where the parser's message is about it.
    static func misspeltOption(_ message: String, _ arguments: [String]) -> String? {
        // Of an option without its value the next word may look like an option, and be one that was meant as a value.
        guard message.hasPrefix("Error: "), !message.contains("Missing value for"), !message.contains("Did you mean")
        else { return nil }
        let (command, rest) = verb(of: arguments)
        // Options of `apus key` are those of `apus key list`.
        let known = options(of: command.configuration.defaultSubcommand ?? command)
        for argument in rest.prefix(while: { $0 != "--" }) where argument.hasPrefix("--") {
            let option = String(argument.prefix { $0 != "=" })
            if known.contains(option) { continue }
            let meant = nearestName(to: option, among: known) ?? nearestBeginning(of: option, among: known)
            return "`\(option)` is no option here" + (meant.map { "; did you mean `\($0)`?" } ?? "")
        }
        return nil
    }

    /// Of `--enabled`, `--enable-key`.
    private static func nearestBeginning(of option: String, among known: [String]) -> String? {
        func common(_ other: String) -> Int { zip(option, other).prefix { $0 == $1 }.count }
        guard let best = known.max(by: { common($0) < common($1) }), common(best) >= "--abc".count else { return nil }
        return best
    }

    /// - Returns: the verb, and the words behind it.
    private static func verb(of arguments: [String]) -> (any ParsableCommand.Type, ArraySlice<String>) {
        var command: any ParsableCommand.Type = ApusCommand.self
        var rest = arguments[...]
        while let word = rest.first, let next = subcommand(word, of: command) {
            command = next
            rest = rest.dropFirst()
        }
        return (command, rest)
    }

    private static func subcommand(
        _ word: String,
        of command: any ParsableCommand.Type,
    ) -> (any ParsableCommand.Type)? {
        command.configuration.subcommands.first { name($0) == word }
    }

    private static func name(_ command: any ParsableCommand.Type) -> String { command._commandName }

    /// The long options, as the help lists them.
    private static func options(of command: any ParsableCommand.Type) -> [String] {
        let words = ApusCommand.helpMessage(for: command).split { !($0.isLetter || $0.isNumber || $0 == "-") }
        return words.filter { $0.hasPrefix("--") && $0.count > 2 }.map(String.init)
    }
}
