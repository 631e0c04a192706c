internal import CLinux
internal import Glibc

/// A system call that failed: which one, and the error number.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    package let code: Int32
    /// The call and, where it helps, its object: `bind 127.0.0.1:1883`.
    package let call: String
    /// No call failed: `call` says what was decided here, and the number only what kind of error that is.
    private let isDecision: Bool

    package init(code: Int32, call: String) {
        self.code = code
        self.call = call
        isDecision = false
    }

    /// What this program decides, of the kind of an error of the system; the sentence is all that a person reads.
    package init(code: Int32, decision sentence: String) {
        self.code = code
        call = sentence
        isDecision = true
    }

    /// The error of the call that this thread just made.
    static func current(_ call: String) -> SystemError { SystemError(code: errno, call: call) }

    /// The symbol, such as `EADDRINUSE`.
    package var name: String {
        guard let name = strerrorname_np(code) else { return "error \(code)" }
        return String(cString: name)
    }

    /// The system's sentence, such as `Address already in use`.
    package var reason: String {
        guard let text = strerrordesc_np(code) else { return "Unknown error" }
        return String(cString: text)
    }

    package var description: String { isDecision ? call : "\(call): \(reason) (\(name))" }
}

/// Why reading or writing a connection failed for good.
package enum StreamFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case system(SystemError)
    /// OpenSSL's words.
    case tls(String)

    package var description: String {
        switch self {
        case .system(let error): error.description
        case .tls(let text): text
        }
    }
}
