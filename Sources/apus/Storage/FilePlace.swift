internal import ApusLog
internal import ApusLoop

/// A file that is to be made: its folder, and its name there.
struct FilePlace {
    let folder: FolderDisk
    let path: String
    let name: String

    init(_ path: String) throws {
        self.path = path
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard let name = parts.last, !path.hasSuffix("/") else {
            throw CommandFailure("\(path) is a folder; --to takes a file")
        }
        self.name = String(name)
        let above = path.dropLast(name.count)
        do {
            folder = try FolderDisk(existing: above.isEmpty ? "." : String(above))
        } catch {
            throw CommandFailure("\(path) cannot be made: \(error.description)")
        }
    }

    func create() throws -> any DiskFile {
        do {
            return try folder.open(name, .creating)
        } catch {
            guard error.name == "EEXIST" else { throw CommandFailure("\(path) cannot be made: \(error.description)") }
            throw CommandFailure("\(path) exists; a backup does not overwrite anything")
        }
    }

    /// What was not finished is no backup.
    func delete() {
        do {
            try folder.delete(name)
        } catch {
            StandardError.write("\(path) is incomplete and could not be deleted: \(error.description)\n")
        }
    }
}
