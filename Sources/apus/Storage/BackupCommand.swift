internal import ApusLog
internal import ApusLoop
internal import ApusMessage
internal import ArgumentParser

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy sessions, subscriptions, retained and waiting messages to one file.",
        discussion: """
            The broker may be running: the copy is of one moment, and everything acknowledged before the backup began is in \
            it. Configuration, password and ACL files are yours and not in it. `apus restore` makes a data directory of it.

            A damaged log is copied as it is; each damaged place is named with what is lost. Exit codes: 0 everything was \
            copied and is sound, 1 no backup was made, 2 a mistake in the options, 3 the backup was made of a log that is \
            damaged.
            """,
    )

    @OptionGroup var directory: DataDirectoryOptions

    @Option(name: .long, help: ArgumentHelp("The backup; must not exist.", valueName: "file"))
    var to: String

    func run() throws {
        let disk = try directory.openLog()
        let place = try FilePlace(to)
        let file = try place.create()
        let progress = TerminalProgress("copied")
        defer { progress.end() }
        let copied: LogSnapshot
        do {
            let snapshot = try LogSnapshot(of: disk)
            let now = Timestamp(milliseconds: Clock().now())
            try LogBackup.write(snapshot, to: file, at: now) { progress.show($0, of: $1) }
            try place.folder.synchronize()
            progress.end()
            print(
                "\(to): \(StorageText.count(snapshot.sources.count, "segment")), \(StorageText.bytes(snapshot.byteCount))"
            )
            copied = snapshot
        } catch {
            place.delete()
            if let error = error as? LogBackupError { throw CommandFailure(StorageText.words(error, archive: to)) }
            throw CommandFailure("\(error)")
        }
        try examine(copied)
    }

    /// The backup stands; says what is missing in it.
    private func examine(_ snapshot: LogSnapshot) throws {
        let progress = TerminalProgress("checked")
        defer { progress.end() }
        let found: LogVerification
        do {
            found = try LogVerification(of: snapshot) { progress.show($0.bytesRead, of: $0.bytesTotal) }
        } catch {
            throw CommandFailure("the backup was made, but the log could not be checked: \(error.description)")
        }
        progress.end()
        try DamageWarning.give(of: found.damage, found.effects, "the backup was made of a damaged log")
    }
}

/// Tells about damage in what a tool has copied all the same.
private enum DamageWarning {
    private static let exitCode: Int32 = 3

    static func give(of damage: [LogDamage], _ effects: [DamageEffect], _ summary: String) throws {
        guard !damage.isEmpty else { return }
        for (damage, effect) in zip(damage, effects) {
            StandardError.write("warning: \(LogReportText.words(damage, effect))\n")
        }
        StandardError.write("warning: \(summary): \(StorageText.count(damage.count, "damaged place"))\n")
        throw ExitCode(exitCode)
    }
}

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Make a data directory of a backup.",
        discussion: """
            Everything is checked on the way; when anything is wrong with the backup, the directory stays as empty as it was. \
            Start no broker on it before the restore is through.

            A backup of a damaged log is restored as it is; each damaged place is named with what is lost. Exit codes: 0 \
            everything was restored and is sound, 1 nothing was restored, 2 a mistake in the options, 3 all was restored \
            of a log that was damaged before the backup.
            """,
    )

    @Option(name: .long, help: ArgumentHelp("The backup.", valueName: "file"))
    var from: String

    @Option(name: .long, help: ArgumentHelp("The new data directory; must be empty or not exist.", valueName: "dir"))
    var data: String

    func run() throws {
        let progress = TerminalProgress("restored")
        defer { progress.end() }
        let report: LogReport
        do {
            let file = try DataFile(from, .reading)
            try refuseAnythingIn(data)
            let disk = try FolderDisk(creating: "\(data)/log")
            let summary = try LogBackup.restore(from: file, into: disk) { progress.show($0, of: $1) }
            progress.end()
            let made = StorageText.time(milliseconds: summary.createdAt.milliseconds)
            report = try LogReport(of: disk)
            print(
                "\(data): \(StorageText.count(report.sessionCount, "session")), "
                    + "\(StorageText.count(report.waitingMessages, "waiting message")), "
                    + "\(StorageText.count(report.retainedMessages, "retained message")) as of \(made)"
            )
        } catch let error as LogBackupError {
            throw CommandFailure(StorageText.words(error, archive: from))
        } catch let error as SystemError {
            throw CommandFailure(error.description)
        }
        try DamageWarning.give(of: report.damage, report.effects, "the log was damaged before the backup was made")
    }

    private func refuseAnythingIn(_ path: String) throws {
        let names: [String]
        do {
            names = try FolderDisk(existing: path).list()
        } catch {
            if error.name == "ENOENT" { return }
            throw error
        }
        // An empty folder of an earlier attempt is as good as none.
        let others = names.filter { $0 != "log" }
        guard others.isEmpty else { throw LogBackupError.notEmpty(path: path) }
    }
}

/// A file that is to be made: its folder, and its name there.
private struct FilePlace {
    let folder: FolderDisk
    let path: String
    private let name: String

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
