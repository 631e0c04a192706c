internal import ApusConfiguration
internal import ArgumentParser

/// What was probably meant by a command line that was not understood.
enum CommandHint {
    /// - Parameters:
    ///   - message: What the parser says.
    ///   - arguments: The command line without the executable.
    static func hint(_ message: String, _ arguments: [String]) -> String? {
        var command: any ParsableCommand.Type = ApusCommand.self
        var rest = arguments[...]
        while let word = rest.first, let next = subcommand(word, of: command) {
            command = next
            rest = rest.dropFirst()
        }
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
        return hintForOptions(rest.prefix { $0 != "--" }, command, message)
    }

    private static func subcommand(
        _ word: String,
        of command: any ParsableCommand.Type,
    ) -> (any ParsableCommand.Type)? {
        command.configuration.subcommands.first { name($0) == word }
    }

    private static func name(_ command: any ParsableCommand.Type) -> String { command._commandName }

    /// The parser looks for what is missing first, and may not come to what is misspelt.
    private static func hintForOptions(
        _ arguments: ArraySlice<String>,
        _ command: any ParsableCommand.Type,
        _ message: String,
    ) -> String? {
        guard !message.contains("Did you mean") else { return nil }
        let known = options(of: command)
        for argument in arguments where argument.hasPrefix("--") {
            let option = String(argument.prefix { $0 != "=" })
            if known.contains(option) { continue }
            if let meant = nearestName(to: option, among: known) {
                return "`\(option)` is no option here; did you mean `\(meant)`?"
            }
        }
        return nil
    }

    /// The long options, as the help lists them.
    private static func options(of command: any ParsableCommand.Type) -> [String] {
        let words = ApusCommand.helpMessage(for: command).split { !($0.isLetter || $0.isNumber || $0 == "-") }
        return words.filter { $0.hasPrefix("--") && $0.count > 2 }.map(String.init)
    }
}
