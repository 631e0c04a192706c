internal import ApusMessage

/// What the shards tell the writer beside their batches.
struct VacatingExchange: Sendable {
    /// How many sessions have let go of messages of a batch, or fewer than none; for the estimate of what lives.
    var releases: [Release] = []

    struct Release: Sendable {
        let batch: UInt64
        var count: Int32
    }

    struct Effects: Sendable {}

    mutating func takeEffects() -> Effects { Effects() }

    /// Call when the batches that were handed over with them are in the table.
    mutating func applyReleases(to places: inout PlaceTable) {
        for release in releases { places.release(release.batch, Int(release.count)) }
        releases.removeAll(keepingCapacity: true)
    }
}

/// The writer's side of vacating the oldest segment.
struct Vacating {
    mutating func apply(_ effects: VacatingExchange.Effects) {}
}

extension LogWriter {
    func vacate(_ now: Timestamp) -> Bool { false }
}
