internal import ApusCrypto
internal import Glibc

/// Reading and replacing small files that only their owner should see.
///
/// The one place of this target with system calls: Foundation can neither create a file with mode 0600 from the first
/// moment nor force it to the disk before it takes the old one's place.
enum CredentialFile {
    /// No list of users or rights that a person keeps is larger.
    static let maximumBytes = 64 << 20

    /// The bytes of a file, and whose it is.
    private struct Raw {
        var bytes: [UInt8]
        var status: stat
    }

    /// What stands in the file, and whether the group or others may read it.
    struct Content {
        var text: String
        var mode: UInt32
        var owner: uid_t
        var group: gid_t

        var isReadableByOthers: Bool { mode & 0o077 != 0 }
    }

    /// The file's content; `nil` when there is no such file.
    static func readIfPresent(_ path: String) throws(CredentialError) -> Content? {
        guard let raw = try raw(path, maximumBytes: maximumBytes) else { return nil }
        guard let text = String(validating: raw.bytes, as: UTF8.self) else {
            throw CredentialError(file: path, reason: "is not UTF-8 text")
        }
        let status = raw.status
        return Content(text: text, mode: status.st_mode & 0o7777, owner: status.st_uid, group: status.st_gid)
    }

    /// The bytes of a file of any kind.
    static func bytes(_ path: String, maximumBytes: Int) throws(CredentialError) -> [UInt8] {
        guard let raw = try raw(path, maximumBytes: maximumBytes) else {
            throw CredentialError(file: path, reason: "does not exist")
        }
        return raw.bytes
    }

    private static func raw(_ path: String, maximumBytes: Int) throws(CredentialError) -> Raw? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            if errno == ENOENT { return nil }
            throw failure(path, "cannot be opened")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(path, "cannot be examined") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw CredentialError(file: path, reason: "is not a regular file")
        }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &block, block.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure(path, "cannot be read") }
            if count == 0 { break }
            bytes += block[..<count]
            guard bytes.count <= maximumBytes else {
                throw CredentialError(file: path, reason: "is larger than \(maximumBytes) bytes")
            }
        }
        return Raw(bytes: bytes, status: status)
    }

    /// The file's content.
    static func read(_ path: String) throws(CredentialError) -> Content {
        guard let content = try readIfPresent(path) else {
            throw CredentialError(file: path, reason: "does not exist")
        }
        return content
    }

    /// Puts a file with mode 0600 in the place of `path`: readers see the old content or the new, never a mixture.
    ///
    /// - Parameter predecessor: The file that is replaced; its owner keeps the new one, so that a service that runs
    ///   under its own user can still read it after the administrator changed a password.
    static func replace(_ path: String, with text: String, predecessor: Content?) throws(CredentialError) {
        let suffix: [UInt8]
        do { suffix = try randomBytes(8) } catch { throw CredentialError(file: path, reason: "\(error)") }
        let temporary = "\(path).\(Hex.encode(suffix))"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(temporary, "cannot be created") }
        do {
            defer { close(descriptor) }
            try write(text, to: descriptor, predecessor: predecessor, path: temporary)
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let error = failure(path, "cannot be replaced")
            unlink(temporary)
            throw error
        }
        // The new name is on the disk only with its folder; a failure here loses nothing but that certainty.
        let folder = open(folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    private static func write(
        _ text: String,
        to descriptor: Int32,
        predecessor: Content?,
        path: String,
    ) throws(CredentialError) {
        if let predecessor, predecessor.owner != geteuid() || predecessor.group != getegid() {
            guard fchown(descriptor, predecessor.owner, predecessor.group) == 0 else {
                throw failure(path, "cannot be given to the owner of the old file")
            }
        }
        var rest = Array(text.utf8)
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, rest, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw failure(path, "cannot be written") }
            rest.removeFirst(count)
        }
        guard fsync(descriptor) == 0 else { throw failure(path, "cannot be forced to the disk") }
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func failure(_ path: String, _ what: String) -> CredentialError {
        CredentialError(file: path, reason: "\(what): \(String(cString: strerror(errno)))")
    }
}
