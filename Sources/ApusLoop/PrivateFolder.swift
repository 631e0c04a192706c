internal import Glibc

/// A folder of small files that only their owner may see.
package struct PrivateFolder: Sendable {
    package let path: String

    /// No file that is kept here by `write` comes near.
    private static let maximumBytes = 1 << 20

    /// Makes the folder, and those above it, with mode 0700 where they are missing; one that stands keeps its mode.
    package init(creating path: String) throws(SystemError) {
        self.path = path
        var end = path.utf8.startIndex
        while end < path.utf8.endIndex {
            let next = path.utf8.index(after: end)
            end = path.utf8[next...].firstIndex(of: UInt8(ascii: "/")) ?? path.utf8.endIndex
            let part = String(path[..<end])
            if mkdir(part, 0o700) == 0 || errno == EEXIST || errno == EISDIR { continue }
            // A folder above may be closed to this user, or on a file system that cannot be written, and yet be there.
            let error = SystemError.current("mkdir \(part)")
            guard access(part, F_OK) == 0 else { throw error }
        }
    }

    /// Where a file of this name is.
    package func path(of name: String) -> String { "\(path)/\(name)" }

    /// The file's content; nil when there is none.
    package func read(_ name: String) throws(SystemError) -> String? {
        let file = path(of: name)
        let number = open(file, O_RDONLY | O_CLOEXEC)
        if number < 0, errno == ENOENT { return nil }
        guard number >= 0 else { throw .current("open \(file)") }
        let descriptor = Descriptor(owning: number)
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count < Self.maximumBytes {
            let count = Glibc.read(descriptor.number, &block, block.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .current("read \(file)") }
            if count == 0 { break }
            bytes += block[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Puts a file with mode 0600 in the place of the old one: readers see the old content or the new.
    ///
    /// No other user may read it at any moment. One process writes at a time.
    package func write(_ text: String, to name: String) throws(SystemError) {
        let file = path(of: name)
        let new = "\(file).new"
        // What a process left behind that was ended while it wrote.
        unlink(new)
        do {
            try Self.create(new, text)
        } catch {
            unlink(new)
            throw error
        }
        guard rename(new, file) == 0 else {
            let error = SystemError.current("rename \(new)")
            unlink(new)
            throw error
        }
        // The name, too, is to be there after a loss of power.
        let number = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw .current("open \(path)") }
        let folder = Descriptor(owning: number)
        guard fsync(folder.number) == 0 else { throw .current("fsync \(path)") }
    }

    /// Removes a file; it is no error that there is none.
    package func remove(_ name: String) throws(SystemError) {
        let file = path(of: name)
        guard unlink(file) == 0 || errno == ENOENT else { throw .current("unlink \(file)") }
    }

    private static func create(_ file: String, _ text: String) throws(SystemError) {
        let number = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw .current("open \(file)") }
        let descriptor = Descriptor(owning: number)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor.number, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .current("write \(file)") }
            rest = rest.dropFirst(count)
        }
        guard fsync(descriptor.number) == 0 else { throw .current("fsync \(file)") }
    }
}
