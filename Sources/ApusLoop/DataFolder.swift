internal import Glibc

/// A folder of files whose names must be as safe as their contents.
package final class DataFolder: Sendable {
    package let path: String
    private let descriptor: Descriptor

    /// Opens the folder, which must exist.
    package init(_ path: String) throws(SystemError) {
        self.path = path
        let number = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw .current("open \(path)") }
        descriptor = Descriptor(owning: number)
    }

    /// Removes a folder that is empty.
    package static func remove(_ path: String) throws(SystemError) {
        guard rmdir(path) == 0 else { throw .current("rmdir \(path)") }
    }

    package func path(of name: String) -> String { "\(path)/\(name)" }

    /// The names of all that is in the folder, in no order.
    package func list() throws(SystemError) -> [String] {
        guard let folder = opendir(path) else { throw .current("opendir \(path)") }
        defer { closedir(folder) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                guard errno == 0 else { throw .current("readdir \(path)") }
                return names
            }
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
    }

    package func open(_ name: String, _ opening: DataFile.Opening) throws(SystemError) -> DataFile {
        try DataFile(path(of: name), opening)
    }

    package func delete(_ name: String) throws(SystemError) {
        guard unlink(path(of: name)) == 0 else { throw .current("unlink \(path(of: name))") }
    }

    /// Gives a file another name, in place of one that has it.
    package func rename(_ name: String, to new: String) throws(SystemError) {
        guard Glibc.rename(path(of: name), path(of: new)) == 0 else {
            throw .current("rename \(path(of: name))")
        }
    }

    /// Waits until all that was created, renamed and deleted is so on the disk.
    package func synchronize() throws(SystemError) {
        guard fsync(descriptor.number) == 0 else { throw .current("fsync \(path)") }
    }

    /// Takes the lock file for this process, until the lock goes.
    ///
    /// - Throws: `EWOULDBLOCK` when another process has it; `holder(of:)` says which.
    package func lock(_ name: String) throws(SystemError) -> FolderLock { try FolderLock(path(of: name)) }

    /// What a process that has locked the file wrote into it: its number.
    package func holder(of name: String) -> Int? {
        guard let file = try? open(name, .reading) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 20)
        guard let count = try? file.read(into: &bytes, 0..<20, at: 0) else { return nil }
        return Int(String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self))
    }
}

/// A lock on a file that ends with this object or with the process, however that ends.
package final class FolderLock: Sendable {
    private let descriptor: Descriptor

    fileprivate init(_ path: String) throws(SystemError) {
        let number = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw .current("open \(path)") }
        descriptor = Descriptor(owning: number)
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else { throw .current("flock \(path)") }
        // For people and for `holder(of:)`; the lock holds without it.
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(number, 0)
        _ = text.withUnsafeBytes { pwrite(number, $0.baseAddress, $0.count, 0) }
    }
}
