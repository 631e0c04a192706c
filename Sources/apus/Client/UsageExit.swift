internal import ApusLoop
internal import ArgumentParser

extension ApusCommand {
    /// Runs the command line; a mistake in it ends with the exit code 2, as shells and most tools have it.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            let message = fullMessage(for: error)
            StandardError.write(message + "\n")
            if let hint = CommandHint.hint(message, Array(CommandLine.arguments.dropFirst())) {
                StandardError.write("Hint: \(hint)\n")
            }
            exit(withError: ExitCode(2))
        }
    }
}
