internal import ApusLog
internal import ApusLoop
internal import ApusMessage
internal import ArgumentParser

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy sessions, subscriptions, retained and waiting messages, and a service's catalog, to one file.",
        discussion: """
            The broker may be running: the copy is of one moment, and everything acknowledged before the backup began is in \
            it. Of a message service the catalog is in it too, with all secrets of accounts and devices, and \
            administrator.json; keep it where you would keep those. Configuration, password and ACL files are yours and not \
            in it. `apus restore` makes a data directory of it.

            Of a damaged catalog no backup is made; --log-only leaves it out. A damaged log is copied as it is; each damaged place is named with what is lost. Exit codes: 0 everything was \
            copied and is sound, 1 no backup was made, 2 a mistake in the options, 3 the backup was made of a log that is \
            damaged.
            """,
    )

    @OptionGroup var directory: DataDirectoryOptions

    @Option(name: .long, help: ArgumentHelp("The backup; must not exist.", valueName: "file"))
    var to: String

    @Flag(name: .long, help: "Leave out the catalog and administrator.json: a backup without tenants and secrets.")
    var logOnly = false

    func run() throws {
        let disk = try directory.openLog()
        let place = try FilePlace(to)
        let file = try place.create()
        let progress = TerminalProgress("copied")
        defer { progress.end() }
        let copied: LogSnapshot
        do {
            // First the log, then the catalog: every session in it then has its instance there, unless that was deleted
            // in between, and no right that was taken away comes back with a message that came later.
            let snapshot = try LogSnapshot(of: disk)
            let files = logOnly ? [] : try ServiceFile.attachments(of: directory.folder, by: place)
            let now = Timestamp(milliseconds: Clock().now())
            try LogBackup.write(snapshot, files, to: file, at: now) { progress.show($0, of: $1) }
            try place.folder.synchronize()
            progress.end()
            print(
                "\(to): \(StorageText.count(snapshot.sources.count, "segment")), \(StorageText.bytes(snapshot.byteCount))"
                    + (files.isEmpty ? "" : ", with the catalog")
            )
            copied = snapshot
        } catch {
            place.delete()
            if error is CommandFailure { throw error }
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
            With the catalog and administrator.json, when they are in it. \
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
            let folders = NewFolders(to: "\(data)/log")
            var isRestored = false
            defer { if !isRestored { folders.withdraw() } }
            let disk = try FolderDisk(creating: "\(data)/log")
            let files = RestoredFiles(in: try FolderDisk(existing: data))
            let summary: LogBackup.Summary
            do throws(LogBackupError) {
                summary = try LogBackup.restore(
                    from: file,
                    into: disk,
                    attachment: files.create,
                    accept: files.accept,
                    progress: { progress.show($0, of: $1) },
                )
            } catch {
                files.withdraw()
                throw error
            }
            isRestored = true
            progress.end()
            let made = StorageText.time(milliseconds: summary.createdAt.milliseconds)
            report = try LogReport(of: disk)
            print(
                "\(data): \(StorageText.count(report.sessionCount, "session")), "
                    + "\(StorageText.count(report.waitingMessages, "waiting message")), "
                    + "\(StorageText.count(report.retainedMessages, "retained message"))"
                    + "\(files.hasCatalog ? ", the catalog" : "") as of \(made)"
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

/// Folders that are not there yet, to be taken away again when nothing came of them.
private struct NewFolders {
    /// The outermost first.
    private var missing: [String] = []

    init(to path: String) {
        var end = path.startIndex
        while end < path.endIndex {
            end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
            let part = String(path[..<end])
            if (try? FolderDisk(existing: part)) == nil { missing.append(part) }
        }
    }

    /// One that is not empty stays, with those above it.
    func withdraw() { for folder in missing.reversed() { try? DataFolder.remove(folder) } }
}
