internal import Glibc

/// The process's standard error as a place to write text.
package enum StandardError {
    /// Writes all of the text; gives up when the other end is gone.
    package static func write(_ text: String) { writeAll(text, to: STDERR_FILENO) }

    /// Whether a person is likely to read it.
    package static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}

/// The process's standard output, unbuffered.
package enum StandardOutput {
    /// Writes all of the text; gives up when the other end is gone.
    package static func write(_ text: String) { writeAll(text, to: STDOUT_FILENO) }
}

private func writeAll(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { bytes in
        var written = 0
        while written < bytes.count {
            guard let base = bytes.baseAddress else { return }
            let count = Glibc.write(descriptor, base + written, bytes.count - written)
            if count > 0 {
                written += count
            } else if errno == EAGAIN {
                var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&request, 1, 1000)
            } else if errno != EINTR {
                return
            }
        }
    }
}

/// A prompt on a terminal that does not show what is typed, until `end`.
package struct TerminalSilence {
    private let before: termios

    /// `nil` when standard input is no terminal; then nothing is prompted either.
    package init?(prompt: String) {
        var settings = termios()
        guard isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        before = settings
        settings.c_lflag &= ~tcflag_t(ECHO)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) == 0 else { return nil }
        StandardError.write(prompt)
    }

    package func end() {
        var settings = before
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
        StandardError.write("\n")
    }
}
