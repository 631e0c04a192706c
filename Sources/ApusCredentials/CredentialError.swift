/// What is wrong with a file of credentials or rights, and where.
package struct CredentialError: Error, Equatable, CustomStringConvertible {
    package var file: String
    /// Counted from 1; `nil` when the whole file is meant.
    package var line: Int?
    /// Never holds a password, a salt or a hash.
    package var reason: String

    package init(file: String, line: Int? = nil, reason: String) {
        self.file = file
        self.line = line
        self.reason = reason
    }

    /// `passwords:3: reason`.
    package var description: String {
        if let line { "\(file):\(line): \(reason)" } else { "\(file): \(reason)" }
    }
}
