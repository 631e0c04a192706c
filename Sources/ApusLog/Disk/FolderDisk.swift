package import ApusLoop

/// A folder of the file system.
package final class FolderDisk: Disk {
    private let folder: DataFolder

    /// Opens the folder; it and those above are made where they are missing.
    package init(creating path: String) throws(SystemError) {
        folder = try DataFolder(PrivateFolder(creating: path).path)
    }

    /// Opens a folder that must exist, to look into it.
    package init(existing path: String) throws(SystemError) {
        folder = try DataFolder(path)
    }

    package var path: String { folder.path }
    package func list() throws(SystemError) -> [String] { try folder.list() }
    package func open(_ name: String, _ opening: DataFile.Opening) throws(SystemError) -> any DiskFile {
        try folder.open(name, opening)
    }
    package func delete(_ name: String) throws(SystemError) { try folder.delete(name) }
    package func rename(_ name: String, to new: String) throws(SystemError) { try folder.rename(name, to: new) }
    package func synchronize() throws(SystemError) { try folder.synchronize() }
    package func lock(_ name: String) throws(SystemError) -> any AnyObject & Sendable { try folder.lock(name) }
    package func holder(of name: String) -> Int? { folder.holder(of: name) }
}

extension DataFile: DiskFile {}
