internal import COpenSSL
internal import Glibc

/// Why a TLS context or session could not be made: what was tried, with which file, and OpenSSL's reason.
package struct TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }

    /// Appends what OpenSSL reported on this thread.
    static func reported(_ attempt: String) -> TLSError { TLSError("\(attempt): \(takeOpenSSLErrors())") }
}

/// Empties OpenSSL's error queue of this thread and returns its reasons, oldest first.
func takeOpenSSLErrors() -> String {
    var reasons: [String] = []
    while true {
        let code = ERR_get_error()
        guard code != 0 else { break }
        // A fixed bound: the queue holds 16 entries.
        let reason: String
        if let text = ERR_reason_error_string(code) {
            reason = String(cString: text)
        } else if code & 0x8000_0000 != 0 {
            reason = SystemError(code: Int32(truncatingIfNeeded: code & 0x7FFF_FFFF), call: "").reason
        } else {
            reason = "error \(String(code, radix: 16))"
        }
        if !reasons.contains(reason) { reasons.append(reason) }
    }
    return reasons.isEmpty ? "no reason given" : reasons.joined(separator: "; ")
}
