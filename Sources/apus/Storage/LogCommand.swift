internal import ApusLog
internal import ApusLoop
internal import ArgumentParser

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Look into the message log of a broker, running or not.",
        subcommands: [Inspect.self, Verify.self],
    )

    struct Inspect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show segments, live and dead bytes, the oldest record and what waits for which session.",
            discussion: """
                Reads the whole log and changes nothing; a broker may be writing to it. Live bytes are an estimate: \
                messages that wait or are retained, and all records about living sessions since each was last recorded \
                as a whole, steps of acknowledged messages among them; the latter shrink when their segment is given \
                back, though nothing waits. Dead bytes are given back segment by segment when the log has grown to more \
                than twice what is live. Sizes are those in use; a file that is written takes its full size on the disk \
                beforehand.

                Exit codes: 0 no damage was found, 1 something is damaged or cannot be read, 2 a mistake in the options.
                """,
        )

        @OptionGroup var directory: DataDirectoryOptions

        @Flag(name: .long, help: "One JSON object instead of text, with all sessions that have a backlog.")
        var json = false

        @Option(name: .long, help: "How many sessions to show, those with the longest backlog first.")
        var sessions = 20

        func run() throws {
            let report = try directory.read("reading") { (disk, progress) throws(SystemError) in
                try LogReport(of: disk, progress: progress)
            }
            if json {
                print(LogReportText.json(report))
            } else {
                print(LogReportText.text(report, sessions: sessions), terminator: "")
            }
            guard report.damage.isEmpty else { throw ExitCode(1) }
        }

        func validate() throws {
            guard sessions >= 0 else { throw ValidationError("--sessions takes a number of sessions, 0 or more") }
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check every checksum of the log; name file and offset of each damage.",
            discussion: """
                Changes nothing; a broker may be writing to the log. Exit codes: 0 all is sound, 1 something is damaged or \
                cannot be read, 2 a mistake in the options. A last write that is not complete is mentioned and is no \
                damage: it is under way, or a crash cut it short before anything in it was acknowledged. Bytes that were \
                lost at the end later cannot be told from that; only a log whose broker was stopped, and that ends so, is \
                known to be whole.
                """,
        )

        @OptionGroup var directory: DataDirectoryOptions

        func run() throws {
            let found = try directory.read("checking") { (disk, progress) throws(SystemError) in
                try LogVerification(of: disk, progress: progress)
            }
            for (damage, effect) in zip(found.damage, found.effects) { print(LogReportText.words(damage, effect)) }
            let end = LogReportText.words(unfinished: found.unfinished, endsInPeace: found.endsInPeace)
            if let end { print(end) }
            let looked =
                "\(StorageText.count(found.segments, "segment")), \(StorageText.bytes(found.bytes)), "
                + StorageText.count(found.records, "record")
            guard found.damage.isEmpty else {
                print("\(looked): \(StorageText.count(found.damage.count, "damaged place"))")
                throw ExitCode(1)
            }
            print("\(looked): \(end == nil ? "all sound" : "what is there is sound")")
        }
    }
}

extension DataDirectoryOptions {
    /// Opens the log and looks into it, with progress on a terminal.
    fileprivate func read<Found>(
        _ verb: String,
        _ body: (FolderDisk, (LogRecovery.Progress) -> Void) throws(SystemError) -> Found,
    ) throws -> Found {
        let disk = try openLog()
        let progress = TerminalProgress(verb)
        defer { progress.end() }
        do {
            return try body(disk) { progress.show($0.bytesRead, of: $0.bytesTotal) }
        } catch {
            throw CommandFailure(error.description)
        }
    }
}
