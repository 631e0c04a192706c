internal import ApusCrypto
internal import ApusMessage

/// The file of user names and hashed passwords that `apus password` keeps and the broker reads.
///
/// Text, UTF-8, one user a line; lines that are empty or begin with `#` are comments and survive every change:
///
///     # the meters of hall 3
///     alice:$scrypt$ln=15,r=8,p=1$<salt>$<hash>:$scram-sha-256$i=10000$<salt>$<StoredKey>$<ServerKey>
///
/// The `$scrypt$` entry serves user name and password of CONNECT, the `$scram-sha-256$` entry serves enhanced
/// authentication; either may be missing. User names hold no `:` and no control characters and do not begin with `#`.
/// The file is written with mode 0600 and replaced as a whole.
package struct PasswordFile: Sendable {
    package var path: String

    package init(path: String) { self.path = path }

    /// The users in the file, and what an administrator should be warned of.
    package func load() throws(CredentialError) -> (table: PasswordTable, warnings: [String]) {
        let content = try CredentialFile.read(path)
        return (try PasswordTable(parsing: content.text, file: path), warnings(of: content))
    }

    /// Everything that is wrong with the file, and what an administrator should be warned of.
    package func examine() throws(CredentialError) -> (faults: CredentialFaults, warnings: [String]) {
        let content = try CredentialFile.read(path)
        var table = PasswordTable()
        return (table.add(content.text, path), warnings(of: content))
    }

    private func warnings(of content: CredentialFile.Content) -> [String] {
        guard content.isReadableByOthers else { return [] }
        let mode = String(content.mode, radix: 8)
        return ["\(path): others than the owner may use it (mode \(mode)); run `chmod 600` on it"]
    }

    /// The user names, sorted.
    package func listUsers() throws(CredentialError) -> [String] {
        try load().table.userNames
    }

    /// Adds the user or changes the password; creates the file when there is none.
    ///
    /// Takes about a tenth of a second.
    package func setPassword(user: String, password: String) throws(CredentialError) {
        if let objection = PasswordTable.objection(toUserName: user) {
            throw CredentialError(file: path, reason: objection)
        }
        guard !password.isEmpty else { throw CredentialError(file: path, reason: "the password is empty") }
        // MQTT carries a password as at most 65,535 bytes [MQTT-1.5.6].
        guard password.utf8.count <= Int(UInt16.max) else {
            throw CredentialError(file: path, reason: "the password is longer than MQTT can carry")
        }
        try setPassword(user: user, password: Array(password.utf8), cost: .standard)
    }

    /// Removes the user.
    ///
    /// - Returns: Whether there was such a user.
    package func removeUser(_ user: String) throws(CredentialError) -> Bool {
        let old = try CredentialFile.read(path)
        guard try PasswordTable(parsing: old.text, file: path).entries[ExactText(user)] != nil else { return false }
        try CredentialFile.replace(path, with: edited(old.text, user: user, line: nil), predecessor: old)
        return true
    }

    func setPassword(user: String, password: [UInt8], cost: ScryptHash.Cost) throws(CredentialError) {
        let old = try CredentialFile.readIfPresent(path)
        // A file that cannot be read back is not rewritten: whatever it was meant to be, it is not ours to change.
        _ = try PasswordTable(parsing: old?.text ?? "", file: path)
        let entry: PasswordTable.Entry
        do throws(CryptoError) {
            entry = PasswordTable.Entry(
                scrypt: try ScryptHash(password: password, cost: cost),
                scram: try ScramVerifier(password: password, salt: try randomBytes(16)),
            )
        } catch {
            throw CredentialError(file: path, reason: error.description)
        }
        let line = PasswordTable.text(of: entry, userName: user)
        try CredentialFile.replace(path, with: edited(old?.text ?? "", user: user, line: line), predecessor: old)
    }

    /// The text with the user's line replaced, removed (`line` is `nil`) or appended; all else stays as it is.
    private func edited(_ text: String, user: String, line: String?) -> String {
        var lines = text.numberedLines.map { String($0.text) }
        if lines.last == "" { lines.removeLast() }
        let index = lines.firstIndex {
            !$0.hasPrefix("#") && PasswordTable.userName(of: $0[...]).utf8.elementsEqual(user.utf8)
        }
        switch (index, line) {
        case (let index?, let line?): lines[index] = line
        case (let index?, nil): lines.remove(at: index)
        case (nil, let line?): lines.append(line)
        case (nil, nil): break
        }
        return lines.map { $0 + "\n" }.joined()
    }
}
