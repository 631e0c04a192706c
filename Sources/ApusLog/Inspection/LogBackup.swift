package import ApusLoop
package import ApusMessage

/// One file with a whole log in it, and with files that belong to it, which a new data directory can be made from.
///
/// All integers are little-endian, all checksums XXH64 with the seed 0.
/// - Header, 40 bytes: "APUSBAK1", version of the archive u32, version of the log format u32, time i64 (milliseconds since
///   1970), number of segments u32, number of attachments u32, checksum of the 32 bytes before.
/// - For each segment, oldest first: 32 bytes with its number u64, its length u64, eight bytes of nothing, checksum of the
///   24 bytes before; then its bytes in blocks of at most 1 MiB, each with its length u64 and checksum u64 in front.
/// - For each attachment the same as for a segment.
/// - End, 24 bytes: "APUSEND1", length of all segments and attachments u64, checksum of the 16 bytes before.
///
/// An archive without attachments is of version 1, which had none.
package enum LogBackup {
    /// Of the archive, the newest.
    package static let version: UInt32 = 2
    static let magic: UInt64 = 0x314B_4142_5355_5041
    static let endMagic: UInt64 = 0x3144_4E45_5355_5041
    static let headerBytes = 40
    static let segmentBytes = 32
    static let blockHeaderBytes = 16
    static let endBytes = 24
    static let blockBytes = 1 << 20

    /// What was written or restored.
    package struct Summary: Sendable, Equatable {
        package var segments: Int
        package var bytes: Int
        package var createdAt: Timestamp
    }

    /// A file beside the log that is of the same service; what its number means is its owner's matter.
    package struct Attachment: Sendable {
        let source: LogSource

        /// - Parameters:
        ///   - number: once in an archive.
        ///   - file: does not change meanwhile.
        package init(number: UInt64, file: any DiskFile) throws(SystemError) {
            source = LogSource(name: "\(number)", number: number, byteCount: try file.size(), file: file)
        }
    }

    /// Writes all of a snapshot to an empty file, and waits until it is on the disk.
    ///
    /// - Parameter progress: bytes done of all.
    package static func write(
        _ snapshot: LogSnapshot,
        _ attachments: [Attachment] = [],
        to file: any DiskFile,
        at time: Timestamp,
        progress: (Int, Int) -> Void = { _, _ in },
    ) throws(LogBackupError) {
        let attached = attachments.map(\.source)
        do throws(SystemError) {
            var writer = ArchiveWriter(file, total: attached.reduce(snapshot.byteCount) { $0 + $1.byteCount })
            try writer.begin(segments: snapshot.sources.count, attachments: attached.count, at: time)
            for source in snapshot.sources + attached { try writer.append(source, progress) }
            try writer.end()
            try file.synchronize()
        } catch {
            throw .system(error)
        }
    }

    /// Makes the log that an archive holds in an empty folder.
    ///
    /// The file `format` is written last, so that what an interrupted restore leaves is no log.
    ///
    /// - Parameters:
    ///   - attachment: the empty file for one of this number.
    ///   - accept: called when all is read and sound, before the log is one.
    package static func restore(
        from file: any DiskFile,
        into disk: any Disk,
        attachment: (UInt64) throws(LogBackupError) -> any DiskFile = { number throws(LogBackupError) in
            throw .refused("it holds a file that this version does not know (\(number))")
        },
        accept: () throws(LogBackupError) -> Void = { () throws(LogBackupError) in },
        progress: (Int, Int) -> Void = { _, _ in },
    ) throws(LogBackupError) -> Summary {
        var reader = try ArchiveReader(file)
        var made: [String] = []
        do throws(LogBackupError) {
            guard try systemCall({ () throws(SystemError) in try disk.list() }).isEmpty else {
                throw .notEmpty(path: disk.path)
            }
            while let part = try reader.nextPart() {
                let target: any DiskFile
                if part.isAttachment {
                    target = try attachment(part.number)
                } else {
                    let name = LogSource.name(ofSegment: part.number)
                    guard !made.contains(name) else { throw .damaged(offset: reader.offset) }
                    target = try systemCall { () throws(SystemError) in try disk.open(name, .creating) }
                    made.append(name)
                }
                try reader.copy(part, to: target, progress)
                try systemCall { () throws(SystemError) in try target.synchronize() }
            }
            try accept()
            made.append(LogFormatFile.name)
            try systemCall { () throws(SystemError) in try LogFormatFile.write(disk) }
            return reader.summary
        } catch {
            for name in made { try? disk.delete(name) }
            throw error
        }
    }
}

/// Why a backup or a restore did not succeed.
package enum LogBackupError: Error, Sendable, Equatable {
    case notAnArchive
    case newerArchive(version: UInt32)
    case newerFormat(version: UInt32)
    /// At this place of the archive.
    case damaged(offset: Int)
    case incomplete
    case notEmpty(path: String)
    /// What it holds cannot be used, for this reason.
    case refused(String)
    case system(SystemError)
}

func systemCall<Value>(_ body: () throws(SystemError) -> Value) throws(LogBackupError) -> Value {
    do {
        return try body()
    } catch {
        throw .system(error)
    }
}

extension DiskFile {
    func writeFully(_ bytes: Span<UInt8>, at offset: Int) throws(SystemError) -> Int {
        var done = 0
        while done < bytes.count {
            let count = try write(bytes.extracting(done..<bytes.count), at: offset + done)
            // A file that takes nothing would be written for ever.
            guard count > 0 else { throw SystemError(code: 28, call: "write") }
            done += count
        }
        return offset + done
    }
}
