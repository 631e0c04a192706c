internal import ApusLoop

/// Reads a secret: without echo from a terminal, else one line of standard input.
enum SecretPrompt {
    /// A secret that is to be kept: on a terminal it is asked for twice, since nobody sees what is typed.
    ///
    /// - Throws: `CommandFailure` when none comes, or when the two differ.
    static func readNew(_ prompt: String, again second: String) throws(CommandFailure) -> String {
        let (secret, isTyped) = read(prompt)
        guard let secret, !secret.isEmpty else {
            throw CommandFailure("no password came on standard input; pipe one line into the command or type it")
        }
        // By bytes, as they will be compared ever after.
        if isTyped, read(second).secret?.utf8.elementsEqual(secret.utf8) != true {
            throw CommandFailure("the two passwords differ; nothing was changed")
        }
        return secret
    }

    private static func read(_ prompt: String) -> (secret: String?, isTyped: Bool) {
        let silence = TerminalSilence(prompt: prompt)
        defer { silence?.end() }
        return (readLine(strippingNewline: true), silence != nil)
    }
}
