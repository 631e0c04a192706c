internal import ApusLoop

/// The files of a log beside its segments.
enum LogFolder {
    private static let lockName = "lock"
    private static let formatName = "format"
    private static let newFormatName = "format.new"
    private static let formatPrefix = "apus-log "

    static func lock(_ disk: any Disk) throws(LogError) -> any AnyObject & Sendable {
        do {
            return try disk.lock(lockName)
        } catch {
            guard error.code == SystemError.wouldBlock else { throw .system(error) }
            throw .inUse(path: disk.path, process: disk.holder(of: lockName))
        }
    }

    /// Makes sure that this version of the format may be read and written here; an empty folder gets it.
    static func checkFormat(_ disk: any Disk) throws(LogError) {
        let names: [String]
        let text: String?
        do throws(SystemError) {
            names = try disk.list()
            text = names.contains(formatName) ? try read(disk) : nil
        } catch {
            throw .system(error)
        }
        guard let text else {
            guard !names.contains(where: { LogSource.number(ofFile: $0) != nil }) else {
                throw .unknownFormat(path: disk.path)
            }
            do throws(SystemError) {
                return try write(disk, isLeftover: names.contains(newFormatName))
            } catch {
                throw .system(error)
            }
        }
        guard text.hasPrefix(formatPrefix), text.hasSuffix("\n"),
            let version = Int(text.dropFirst(formatPrefix.count).dropLast())
        else { throw .unknownFormat(path: disk.path) }
        guard version <= LogFormat.version else { throw .newerFormat(path: disk.path, version: version) }
    }

    private static func read(_ disk: any Disk) throws(SystemError) -> String {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = try disk.open(formatName, .reading).read(into: &bytes, 0..<bytes.count, at: 0)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    private static func write(_ disk: any Disk, isLeftover: Bool) throws(SystemError) {
        if isLeftover { try disk.delete(newFormatName) }
        let file = try disk.open(newFormatName, .creating)
        try file.writeAll(Array("\(formatPrefix)\(LogFormat.version)\n".utf8).span, at: 0)
        try file.synchronize()
        try disk.rename(newFormatName, to: formatName)
        try disk.synchronize()
    }
}
