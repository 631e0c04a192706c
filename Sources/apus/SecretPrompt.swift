internal import ApusLoop

/// Reads a secret: without echo from a terminal, else one line of standard input.
enum SecretPrompt {
    static func read(_ prompt: String) -> String? {
        let silence = TerminalSilence(prompt: prompt)
        defer { silence?.end() }
        return readLine(strippingNewline: true)
    }
}
