internal import ApusLog
internal import ApusMessage

/// What was found in a log, as text and as JSON.
enum LogReportText {
    static func text(_ report: LogReport, sessions limit: Int) -> String {
        var out = "Segments: \(report.segments.count), \(StorageText.bytes(report.bytes)), "
        out += "live \(StorageText.bytes(report.liveBytes)), of it records about sessions "
        out += "\(StorageText.bytes(report.sessionBytes)), dead \(StorageText.bytes(report.deadBytes))\n"
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
        for (damage, effect) in zip(report.damage, report.effects) { out += "Damage: \(words(damage, effect))\n" }
        if let words = words(unfinished: report.unfinished, endsInPeace: report.endsInPeace) { out += words + "\n" }
        return out
    }

    static func words(_ damage: LogDamage, _ effect: DamageEffect) -> String {
        "\(damage.file), offset \(damage.offset), \(StorageText.count(damage.bytes, "byte")): \(damage.explanation); "
            + effect.words
    }

    /// How the log ends, unless in peace; what it was before cannot be told from it.
    static func words(unfinished: (file: String, offset: Int, bytes: Int)?, endsInPeace: Bool?) -> String? {
        if let unfinished {
            return
                "\(unfinished.file), offset \(unfinished.offset): the last write is not complete. It is under way, or a "
                + "crash cut it short, and then nothing in it was acknowledged; or bytes were lost later, and with them "
                + "what was"
        }
        guard endsInPeace == false else { return nil }
        return
            "The log does not end as a broker leaves it that is stopped: one is at work on it, or was killed, which loses "
            + "nothing; or bytes at its end were lost later"
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
        out.add("session_bytes", report.sessionBytes)
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
        out.add("damage", zip(report.damage, report.effects).map(line))
        if let endsInPeace = report.endsInPeace { out.add("ends_in_peace", endsInPeace) }
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

    private static func line(_ damage: LogDamage, _ effect: DamageEffect) -> JSONLine {
        var line = JSONLine()
        line.add("file", damage.file)
        line.add("offset", damage.offset)
        line.add("bytes", damage.bytes)
        line.add("kind", damage.name)
        line.add("effect", effect.words)
        line.add("lost_messages", effect.messages)
        return line
    }
}
