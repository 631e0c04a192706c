internal import ApusCatalog
internal import ApusLog
internal import ApusLoop
internal import ApusResources

/// A file of a message service beside its log; its number in a backup.
enum ServiceFile: UInt64 {
    case catalog = 1
    /// How the command line finds the API, and its key, which stands in the catalog too.
    case administrator = 2

    /// In the data directory.
    var name: String {
        switch self {
        case .catalog: Tenancy.fileName
        case .administrator: FirstStart.fileName
        }
    }

    /// What there is of them in a data directory, for a backup; nothing of a plain broker.
    ///
    /// - Parameter place: of the backup; the copy of the catalog stands beside it for a moment, for its owner only.
    static func attachments(of data: String, by place: FilePlace) throws -> [LogBackup.Attachment] {
        let folder = try FolderDisk(existing: data)
        let names = try folder.list()
        guard names.contains(catalog.name) else { return [] }
        var attachments = [try copyCatalog("\(data)/\(catalog.name)", place)]
        if names.contains(administrator.name) {
            // A new one would take its name, and leave this one as it is.
            let file = try folder.open(administrator.name, .reading)
            attachments.append(try LogBackup.Attachment(number: administrator.rawValue, file: file))
        }
        return attachments
    }

    private static func copyCatalog(_ path: String, _ place: FilePlace) throws -> LogBackup.Attachment {
        let copy = "\(place.path).catalog"
        let name = "\(place.name).catalog"
        do {
            // Before anything is written to it, so that nobody else can read it at any moment.
            _ = try place.folder.open(name, .creating)
        } catch {
            throw CommandFailure("no room for the catalog's copy: \(copy) cannot be made: \(error.description)")
        }
        defer { try? place.folder.delete(name) }
        do {
            try CatalogCopy.make(of: path, to: copy)
            try CatalogCopy.check(copy, named: path)
        } catch {
            throw CommandFailure("no backup was made: \(error)")
        }
        // What is deleted stays readable.
        return try LogBackup.Attachment(number: catalog.rawValue, file: try place.folder.open(name, .reading))
    }
}

/// The files that a restore puts beside the log; all or none of them.
final class RestoredFiles {
    private let folder: FolderDisk
    private var made: [String] = []
    private(set) var hasCatalog = false
    /// The catalog until it is known to be sound: a start would not take it for one.
    private static let newCatalog = "\(ServiceFile.catalog.name).new"

    init(in folder: FolderDisk) { self.folder = folder }

    func create(number: UInt64) throws(LogBackupError) -> any DiskFile {
        guard let kind = ServiceFile(rawValue: number) else {
            throw .refused("it holds a file that this version does not know (\(number))")
        }
        let name = kind == .catalog ? Self.newCatalog : kind.name
        do throws(SystemError) {
            let file = try folder.open(name, .creating)
            made.append(name)
            return file
        } catch {
            throw .system(error)
        }
    }

    /// Makes sure that a service can start with the catalog, and gives it its name.
    func accept() throws(LogBackupError) {
        if made.contains(Self.newCatalog) {
            do throws(CatalogError) {
                try CatalogCopy.check("\(folder.path)/\(Self.newCatalog)", named: "the catalog in it")
            } catch {
                throw .refused(error.description)
            }
        }
        do throws(SystemError) {
            if made.contains(Self.newCatalog) {
                try folder.rename(Self.newCatalog, to: ServiceFile.catalog.name)
                made.append(ServiceFile.catalog.name)
                hasCatalog = true
            }
            try folder.synchronize()
        } catch {
            throw .system(error)
        }
    }

    /// Takes away what was made, after a restore that failed.
    func withdraw() { for name in made { try? folder.delete(name) } }
}
