internal import ApusLoop

/// Whether tools may read a folder as a message log.
package enum LogFormatFile {
    static let name = "format"
    static let prefix = "apus-log "

    /// Reads the number of the format and changes nothing.
    package static func check(_ disk: any Disk) throws(LogError) {
        let text: String
        do throws(SystemError) {
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = try disk.open(name, .reading).read(into: &bytes, 0..<bytes.count, at: 0)
            text = String(decoding: bytes[..<count], as: UTF8.self)
        } catch {
            throw error.name == "ENOENT" ? .unknownFormat(path: disk.path) : .system(error)
        }
        guard text.hasPrefix(prefix), text.hasSuffix("\n"), let version = Int(text.dropFirst(prefix.count).dropLast())
        else { throw .unknownFormat(path: disk.path) }
        guard version <= LogFormat.version else { throw .newerFormat(path: disk.path, version: version) }
    }

    /// Makes the folder a log, when all its segments are there.
    static func write(_ disk: any Disk) throws(SystemError) {
        let file = try disk.open(name, .creating)
        _ = try file.writeFully(Array("\(prefix)\(LogFormat.version)\n".utf8).span, at: 0)
        try file.synchronize()
        try disk.synchronize()
    }
}
