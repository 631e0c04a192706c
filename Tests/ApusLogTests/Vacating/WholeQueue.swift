import ApusMessage

@testable import ApusLog

extension LogStore {
    /// Walks the queue as a shard does, in slices small enough that there are several.
    func keepWholeQueue(of session: SessionHandle) {
        var place: UInt64? = 0
        while let from = place { place = keepQueue(of: session, from: from, limit: 3) }
    }
}
