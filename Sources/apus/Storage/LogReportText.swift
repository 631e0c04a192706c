internal import ApusLog
internal import ApusMessage

/// What was found in a log, as text and as JSON.
enum LogReportText {
    static func text(_ report: LogReport, sessions limit: Int) -> String {
        var out = "Segments: \(report.segments.count), \(StorageText.bytes(report.bytes)), "
        out += "live \(StorageText.bytes(report.liveBytes)), dead \(StorageText.bytes(report.deadBytes))\n"
        let rows = report.segments.map { segment in
            [
                segment.name, StorageText.bytes(segment.bytes), "live \(StorageText.bytes(segment.liveBytes))",
                "dead \(StorageText.bytes(segment.deadBytes))",
                "since \(StorageText.time(milliseconds: segment.createdAt.milliseconds))",
            ]
        }
        out += StorageText.table(rows)
        out += "Records: \(report.records)\n"
        if let oldest = report.oldest {
            let time = StorageText.time(milliseconds: oldest.time.milliseconds)
            out += "Oldest record: \(time), \(oldest.file), offset \(oldest.offset)\n"
        }
        out += "Retained messages: \(report.retainedMessages)\n"
        out += "Sessions: \(report.sessionCount), with a backlog \(report.backlogs.count), "
        out += "\(StorageText.count(report.waitingMessages, "message")) waiting\n"
        out += StorageText.table(report.backlogs.prefix(limit).map(row))
        if report.backlogs.count > limit { out += "  and \(report.backlogs.count - limit) more\n" }
        for damage in report.damage {
            out += "Damage: \(damage.file), offset \(damage.offset), \(damage.bytes) bytes: \(damage.explanation)\n"
        }
        if let unfinished = report.unfinished { out += words(unfinished: unfinished) + "\n" }
        return out
    }

    static func words(unfinished: (file: String, offset: Int, bytes: Int)) -> String {
        "\(unfinished.file), offset \(unfinished.offset): the last write is not complete; it is under way, or a crash cut it "
            + "short before anything in it was acknowledged"
    }

    private static func row(_ session: LogReport.Session) -> [String] {
        let oldest = session.oldest.map { "oldest \(StorageText.time(milliseconds: $0.milliseconds))" } ?? ""
        let state = session.disconnectedAt.map { "away since \(StorageText.time(milliseconds: $0.milliseconds))" }
        return [
            StorageText.shown(session.clientID), StorageText.count(session.messages, "message"),
            StorageText.bytes(session.bytes), session.underWay > 0 ? "\(session.underWay) under way" : "", oldest,
            state ?? "connected",
        ]
    }

    static func json(_ report: LogReport) -> String {
        var out = JSONLine()
        out.add("bytes", report.bytes)
        out.add("live_bytes", report.liveBytes)
        out.add("dead_bytes", report.deadBytes)
        out.add("records", report.records)
        if let oldest = report.oldest {
            var line = JSONLine()
            line.add("time", StorageText.time(milliseconds: oldest.time.milliseconds))
            line.add("file", oldest.file)
            line.add("offset", oldest.offset)
            out.add("oldest_record", line)
        }
        out.add("retained_messages", report.retainedMessages)
        out.add("sessions", report.sessionCount)
        out.add("waiting_messages", report.waitingMessages)
        out.add("segments", report.segments.map(line))
        out.add("backlogs", report.backlogs.map(line))
        out.add("damage", report.damage.map(line))
        if let unfinished = report.unfinished {
            var line = JSONLine()
            line.add("file", unfinished.file)
            line.add("offset", unfinished.offset)
            out.add("unfinished", line)
        }
        return out.text
    }

    private static func line(_ segment: LogReport.Segment) -> JSONLine {
        var line = JSONLine()
        line.add("file", segment.name)
        line.add("created", StorageText.time(milliseconds: segment.createdAt.milliseconds))
        line.add("bytes", segment.bytes)
        line.add("live_bytes", segment.liveBytes)
        line.add("dead_bytes", segment.deadBytes)
        return line
    }

    private static func line(_ session: LogReport.Session) -> JSONLine {
        var line = JSONLine()
        line.add("client_id", session.clientID)
        line.add("messages", session.messages)
        line.add("bytes", session.bytes)
        line.add("under_way", session.underWay)
        line.add("subscriptions", session.subscriptions)
        if let oldest = session.oldest { line.add("oldest", StorageText.time(milliseconds: oldest.milliseconds)) }
        if let since = session.disconnectedAt {
            line.add("disconnected", StorageText.time(milliseconds: since.milliseconds))
        }
        return line
    }

    private static func line(_ damage: LogDamage) -> JSONLine {
        var line = JSONLine()
        line.add("file", damage.file)
        line.add("offset", damage.offset)
        line.add("bytes", damage.bytes)
        line.add("kind", damage.name)
        return line
    }
}
