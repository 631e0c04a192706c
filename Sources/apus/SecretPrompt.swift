internal import ApusLoop
internal import ArgumentParser

/// Reads a secret: without echo from a terminal, else one line of standard input.
enum SecretPrompt {
    /// A secret that is to be kept: on a terminal it is asked for twice, since nobody sees what is typed.
    ///
    /// - Throws: `CommandFailure` when none comes, or when the two differ; the exit code, when a signal ends it.
    static func readNew(_ prompt: String, again second: String) throws -> String {
        let (secret, isTyped) = try read(prompt)
        guard let secret, !secret.isEmpty else {
            throw CommandFailure("no password came on standard input; pipe one line into the command or type it")
        }
        // By bytes, as they will be compared ever after.
        if isTyped, try read(second).secret?.utf8.elementsEqual(secret.utf8) != true {
            throw CommandFailure("the two passwords differ; nothing was changed")
        }
        return secret
    }

    /// A secret that is used once, so it is asked for once.
    static func readOnce(_ prompt: String) throws -> String {
        guard let secret = try read(prompt).secret, !secret.isEmpty else {
            throw CommandFailure("no secret came on standard input; pipe one line into the command or type it")
        }
        return secret
    }

    private static func read(_ prompt: String) throws -> (secret: String?, isTyped: Bool) {
        // Before the terminal falls silent: however it ends, it shows again what is typed.
        let signals = try SignalWaiter()
        guard let silence = TerminalSilence(prompt: prompt) else {
            return (signals.paused { readLine(strippingNewline: true) }, false)
        }
        defer { silence.end() }
        if let signal = try Self.signalBeforeLine(signals) { throw ExitCode(ClientEnding.interrupted(signal).code) }
        return (readLine(strippingNewline: true), true)
    }

    /// Waits until a line is typed or a signal comes, Ctrl-C for one.
    private static func signalBeforeLine(_ signals: borrowing SignalWaiter) throws -> OperatorSignal? {
        let poller = try Poller()
        try poller.addLevelTriggered(signals.fileDescriptor, token: 0)
        try poller.addLevelTriggered(StandardStream.input, token: 1)
        while true {
            let count = poller.wait(timeoutMilliseconds: nil)
            if let signal = signals.next() { return signal }
            if count > 0 { return nil }
        }
    }
}
