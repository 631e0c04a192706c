internal import ApusLoop
internal import ArgumentParser

extension ApusCommand {
    /// Runs the command line; a mistake in it ends with the exit code 2, as shells and most tools have it.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            let code = exitCode(for: error)
            guard code != .success else { exit(withError: error) }
            let message = fullMessage(for: error)
            guard code == .validationFailure else {
                // In one piece: the parser writes byte by byte, and what another thread writes would come in between.
                if !message.isEmpty { StandardError.write(message + "\n") }
                exit(withError: code)
            }
            let arguments = Array(CommandLine.arguments.dropFirst())
            if let misspelt = CommandHint.misspeltOption(message, arguments) {
                // What the parser says follows from it, or comes after it.
                let usage = message.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
                StandardError.write((["Error: \(misspelt)"] + usage.map(String.init)).joined(separator: "\n") + "\n")
            } else {
                StandardError.write(message + "\n")
                if let hint = CommandHint.hint(message, arguments) { StandardError.write("Hint: \(hint)\n") }
            }
            exit(withError: ExitCode(2))
        }
    }
}
