internal import ApusCrypto
internal import ApusMessage

/// The users of a password file, as they are looked up.
package struct PasswordTable: Sendable {
    /// What is kept of one user's password.
    struct Entry: Sendable, Equatable {
        var scrypt: ScryptHash?
        var scram: ScramVerifier?
    }

    /// Names are those with the same bytes, as MQTT has it.
    private(set) var entries: [ExactText: Entry] = [:]
    /// The dearest hash in the file: what an unknown user costs.
    private(set) var decoyCost = ScryptHash.Cost.standard
    /// What an unknown user is told in a SCRAM exchange.
    private(set) var decoyIterations = ScramVerifier.standardIterations
    /// What the SCRAM salts of unknown users come from; `nil` when no user has a `$scrypt$` entry.
    ///
    /// A known user has the same salt for ever, so an unknown one must too, over restarts: otherwise asking twice would
    /// tell who exists. The salt of the file's first `$scrypt$` entry is random, never leaves the broker, and stays when
    /// other users come, go or change their passwords.
    private(set) var decoyKey: [UInt8]?

    /// A table without users: nobody gets in.
    init() {}

    /// Reads the text of a password file; `PasswordFile` describes the format.
    ///
    /// - Parameter file: The name that errors bear.
    package init(parsing text: String, file: String) throws(CredentialError) {
        try add(text, file).throwFirst()
    }

    /// Adds the users of the file's good lines.
    ///
    /// - Returns: what is wrong with the others.
    mutating func add(_ text: String, _ file: String) -> CredentialFaults {
        var faults = CredentialFaults()
        var dearest: ScryptHash.Cost?
        var iterations: Int?
        for (number, line) in text.numberedLines where !line.isEmpty && !line.hasPrefix("#") {
            do throws(FormatError) {
                let (name, entry) = try Self.parse(line)
                guard entries.updateValue(entry, forKey: ExactText(name)) == nil else {
                    throw FormatError("user `\(name)` stands in the file twice")
                }
                if decoyKey == nil, let salt = entry.scrypt?.salt {
                    decoyKey = HMAC.sha256(key: salt, Array("salts of unknown users".utf8))
                }
                if let cost = entry.scrypt?.cost, cost.work > dearest?.work ?? 0 { dearest = cost }
                if let scram = entry.scram { iterations = max(iterations ?? 0, scram.iterations) }
            } catch {
                faults.note(CredentialError(file: file, line: number, reason: error.reason))
            }
        }
        decoyCost = dearest ?? .standard
        decoyIterations = iterations ?? ScramVerifier.standardIterations
        return faults
    }

    /// How many users differ in another table.
    func changes(to new: PasswordTable) -> UserChanges {
        var changes = UserChanges()
        for (name, entry) in entries {
            switch new.entries[name] {
            case nil: changes.removed += 1
            case entry: break
            default: changes.changed += 1
            }
        }
        changes.added = new.entries.count - (entries.count - changes.removed)
        return changes
    }

    /// The user names, sorted.
    package var userNames: [String] { entries.keys.map(\.text).sorted() }

    /// Why a name cannot stand in a password file; `nil` when it can.
    static func objection(toUserName name: some StringProtocol) -> String? {
        if name.isEmpty { return "the user name is empty" }
        if name.utf8.count > 1024 { return "the user name is longer than 1024 bytes" }
        if name.utf8.contains(UInt8(ascii: ":")) { return "a user name cannot hold `:`" }
        if name.utf8.first == UInt8(ascii: "#") { return "a user name cannot begin with `#`" }
        if name.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }) {
            return "a user name cannot hold control characters"
        }
        if !Substring(name).trimmed.elementsEqual(name) { return "a user name cannot begin or end with a blank" }
        return nil
    }

    /// The name before the first `:` of a line.
    static func userName(of line: Substring) -> Substring {
        line[..<(line.utf8.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex)]
    }

    static func text(of entry: Entry, userName: String) -> String {
        ([userName] + [entry.scrypt?.text, entry.scram?.text].compactMap(\.self)).joined(separator: ":")
    }

    private static func parse(_ line: Substring) throws(FormatError) -> (String, Entry) {
        let fields = line.split(separator: ":", omittingEmptySubsequences: false)
        if let objection = objection(toUserName: fields[0]) { throw FormatError(objection) }
        guard fields.count > 1 else { throw FormatError("no `:` between the user name and its password hash") }
        var entry = Entry()
        for field in fields.dropFirst() {
            if field.hasPrefix(ScryptHash.prefix), entry.scrypt == nil {
                entry.scrypt = try ScryptHash(text: field)
            } else if field.hasPrefix(ScramVerifier.prefix), entry.scram == nil {
                entry.scram = try ScramVerifier(text: field)
            } else if field.hasPrefix(ScryptHash.prefix) || field.hasPrefix(ScramVerifier.prefix) {
                throw FormatError("the same kind of entry stands in the line twice")
            } else if field.hasPrefix("$6$") || field.hasPrefix("$7$") {
                throw FormatError("this is a hash of mosquitto_passwd; set the password anew with `apus password`")
            } else {
                throw FormatError("neither a $scrypt$ nor a $scram-sha-256$ entry; use `apus password`")
            }
        }
        return (String(fields[0]), entry)
    }
}

/// How many users came, went or got another password.
package struct UserChanges: Sendable, Equatable, CustomStringConvertible {
    package var added = 0
    package var removed = 0
    package var changed = 0

    /// `1 added, 2 changed`; `unchanged` when there is nothing to say.
    package var description: String {
        let parts = [(added, "added"), (removed, "removed"), (changed, "changed")].filter { $0.0 > 0 }
        return parts.isEmpty ? "unchanged" : parts.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    }
}
