internal import ApusMessage

/// The file that says who may publish and subscribe to what.
///
/// Text, UTF-8, one statement a line, close to mosquitto's; lines that are empty or begin with `#` are comments:
///
///     # without a heading: anonymous connections
///     topic read news/#
///
///     user alice
///     topic read sensors/#
///     topic write commands/%c/in
///     topic readwrite chat/%u/+
///     topic deny sensors/secret/#
///
///     client-id gateway-1
///     topic write upstream/#
///
///     # for everybody, wherever it stands
///     pattern readwrite devices/%c/#
///
/// - `user NAME` and `client-id ID` are headings for the `topic` lines that follow; a heading may come again.
/// - The right is `read` (subscribe), `write` (publish), `readwrite` (also when no right is named) or `deny` (neither).
/// - The filter is the rest of the line. `%c` is the client id, `%u` the user name, each as a whole level. A name with
///   `+`, `#` or `/` in it, or one beginning with `$` in the first level, is granted nothing by such a line.
/// - `deny` beats every grant. What nobody granted is refused.
/// - A subscription needs one grant that covers all of its filter, and must not reach into anything denied.
///
/// A client id is chosen by the client: grant by it only where the network or a certificate says who connects.
package struct ACLFile: Sendable, Equatable {
    private(set) var anonymous: [ACLRule] = []
    /// Names and ids are those with the same bytes, as MQTT has it.
    private(set) var users: [ExactText: [ACLRule]] = [:]
    private(set) var clientIDs: [ExactText: [ACLRule]] = [:]
    private(set) var everybody: [ACLRule] = []

    private enum Heading {
        case none
        case user(String)
        case clientID(String)
    }

    /// Reads the text of an ACL file.
    ///
    /// - Parameter file: The name that errors bear.
    package init(parsing text: String, file: String) throws(CredentialError) {
        try add(text, file).throwFirst()
    }

    /// Reads the file at the path.
    package init(path: String) throws(CredentialError) {
        try self.init(parsing: CredentialFile.read(path).text, file: path)
    }

    /// Everything that is wrong with the file at the path.
    package static func faults(path: String) throws(CredentialError) -> CredentialFaults {
        var rights = ACLFile()
        return rights.add(try CredentialFile.read(path).text, path)
    }

    private init() {}

    private mutating func add(_ text: String, _ file: String) -> CredentialFaults {
        var faults = CredentialFaults()
        var heading = Heading.none
        for (number, line) in text.numberedLines where !line.isEmpty && !line.hasPrefix("#") {
            do throws(FormatError) {
                try add(line, under: &heading)
            } catch {
                faults.note(CredentialError(file: file, line: number, reason: error.reason))
            }
        }
        return faults
    }

    private mutating func add(_ line: Substring, under heading: inout Heading) throws(FormatError) {
        let (word, rest) = line.firstWord
        guard ["user", "client-id", "topic", "pattern"].contains(word) else {
            throw FormatError("a line begins with user, client-id, topic or pattern, not with `\(word)`")
        }
        guard !rest.isEmpty else { throw FormatError("nothing follows `\(word)`") }
        switch word {
        case "user":
            heading = .user(String(rest))
        case "client-id":
            heading = .clientID(String(rest))
        case "pattern":
            everybody.append(try rule(rest))
        default:
            let rule = try rule(rest)
            switch heading {
            case .none: anonymous.append(rule)
            case .user(let name): users[ExactText(name), default: []].append(rule)
            case .clientID(let id): clientIDs[ExactText(id), default: []].append(rule)
            }
        }
    }

    private func rule(_ text: Substring) throws(FormatError) -> ACLRule {
        let (word, rest) = text.firstWord
        guard let access = ACLRule.Access(rawValue: String(word)) else {
            // A misspelt `deny` must not become a right to a topic of that name.
            guard rest.isEmpty else {
                throw FormatError(
                    "`\(word)` is not read, write, readwrite or deny; a filter with a space needs one of them before it",
                )
            }
            return try ACLRule(.readwrite, filter: text)
        }
        guard !rest.isEmpty else { throw FormatError("no topic filter follows `\(word)`") }
        return try ACLRule(access, filter: rest)
    }
}
