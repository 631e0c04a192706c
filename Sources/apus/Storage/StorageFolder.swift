internal import ApusLog
internal import ApusLoop
internal import ArgumentParser
internal import FoundationEssentials

/// Which data directory a tool works on.
struct DataDirectoryOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The broker's data directory (default: APUS_DATA_DIRECTORY, or apus-data).",
            valueName: "dir"
        ),
    )
    var data: String?

    var folder: String { data ?? ProcessInfo.processInfo.environment["APUS_DATA_DIRECTORY"] ?? "apus-data" }

    /// The message log in it, to be read; a broker may be writing to it.
    func openLog() throws -> FolderDisk {
        let path = "\(folder)/log"
        do {
            let disk = try FolderDisk(existing: path)
            try LogFormatFile.check(disk)
            return disk
        } catch let error as LogError {
            throw CommandFailure(error.description)
        } catch let error as SystemError {
            guard error.name == "ENOENT" || error.name == "ENOTDIR" else { throw CommandFailure(error.description) }
            throw CommandFailure("\(folder) is no data directory with a message log: there is no \(path)")
        }
    }
}

/// Shows on a terminal how far something long has come; nothing elsewhere.
final class TerminalProgress {
    private let verb: String
    private let isShown = StandardError.isTerminal
    private var last = Clock.monotonicNanoseconds()
    private var hasText = false

    init(_ verb: String) { self.verb = verb }

    func show(_ done: Int, of total: Int) {
        let now = Clock.monotonicNanoseconds()
        guard isShown, now - last > 200_000_000 else { return }
        last = now
        hasText = true
        let percent = total == 0 ? 100 : done * 100 / total
        StandardError.write("\r\(verb) \(StorageText.bytes(done)) of \(StorageText.bytes(total)), \(percent) %  ")
    }

    /// Takes the line away.
    func end() {
        if hasText { StandardError.write("\r\u{1B}[K") }
        hasText = false
    }
}

/// Sizes, times and errors of the message log in words.
enum StorageText {
    /// With a unit that a person reads easily.
    static func bytes(_ count: Int) -> String {
        var value = Double(count)
        var unit = 0
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(count) B" : "\((value * 10).rounded() / 10) \(units[unit])"
    }

    static func time(milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    /// Columns, the first to the left, the others to the right.
    static func table(_ rows: [[String]]) -> String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + padding : padding + cell
            }
            return "  " + cells.joined(separator: "  ") + "\n"
        }
        .joined()
    }

    /// A text of a client on a terminal: control characters escaped, at most so many characters.
    static func shown(_ text: String, atMost limit: Int = 40) -> String {
        let quoted = String(JSONText.quoted(text).dropFirst().dropLast())
        return quoted.count <= limit ? quoted : quoted.prefix(limit - 1) + "…"
    }

    static func words(_ error: LogBackupError, archive: String) -> String {
        switch error {
        case .notAnArchive: "\(archive) is not a backup of Apus"
        case .newerArchive(let version):
            "\(archive) was made by a newer version of Apus (archive format \(version), this one knows \(LogBackup.version))"
        case .newerFormat(let version):
            "\(archive) holds a message log of a newer version of Apus (log format \(version))"
        case .damaged(let offset): "\(archive) is damaged at offset \(offset); nothing was restored"
        case .incomplete: "\(archive) is incomplete: the backup did not come to its end; nothing was restored"
        case .refused(let reason): "\(archive) cannot be restored: \(reason); nothing was restored"
        case .notEmpty(let path): "\(path) is not empty; a backup is restored to an empty data directory only"
        case .system(let error): error.description
        }
    }
}
