/// The rule for client ids of an instance that has groups: `GroupID@@@DeviceID`, at most 64 printable characters
/// (apsaramq-facts 1).
enum ClientIDRule {
    static let maximumCharacters = 64
    private static let separator = "@@@"

    /// The group id, or a sentence that says what is wrong.
    ///
    /// Cut at the first `@@@`: a group id holds no `@`, a device id may.
    static func group(of clientID: String) -> Result<String, Violation> {
        let form = "a client id here is `<GroupID>@@@<DeviceID>`"
        let bytes = Array(clientID.utf8)
        // Every character is a byte at least; nothing longer needs counting.
        guard bytes.count <= 4 * maximumCharacters, clientID.unicodeScalars.count <= maximumCharacters else {
            let count = bytes.count > 4096 ? "thousands of" : "\(clientID.unicodeScalars.count)"
            return .failure(
                Violation(
                    "client id \(quoted(clientID)) has \(count) characters; at most \(maximumCharacters) are allowed",
                )
            )
        }
        guard clientID.unicodeScalars.allSatisfy(isPrintable) else {
            return .failure(Violation("client id \(quoted(clientID)) has characters that cannot be printed"))
        }
        let mark = Array(separator.utf8)
        let found = bytes.indices.first { bytes[$0...].starts(with: mark) }
        guard let start = found else {
            return .failure(Violation("client id \(quoted(clientID)) has no `@@@`: \(form)"))
        }
        guard start > 0 else { return .failure(Violation("client id \(quoted(clientID)) has no group id: \(form)")) }
        guard start + mark.count < bytes.count else {
            return .failure(Violation("client id \(quoted(clientID)) has no device id: \(form)"))
        }
        return .success(String(decoding: bytes[..<start], as: UTF8.self))
    }

    /// What is wrong with a client id.
    struct Violation: Error, Equatable {
        let sentence: String

        init(_ sentence: String) { self.sentence = sentence }
    }
}
