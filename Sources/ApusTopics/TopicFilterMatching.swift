extension TopicFilter {
    /// Whether a message published to `topic` is for this filter; one pass over both, no allocation.
    ///
    /// The index answers the same question for all filters at once; the tests hold it against this function.
    package func matches(topic: Span<UInt8>) -> Bool {
        if startsWithWildcard, topic.count > 0, topic[0] == .dollar { return false }
        var at = 0
        var start = 0
        while true {
            if at < bytes.count, bytes[at] == .multiLevelWildcard { return true }
            let end = topic.endOfLevel(from: start)
            if at < bytes.count, bytes[at] == .singleLevelWildcard {
                at += 1
            } else {
                for index in start..<end {
                    guard at < bytes.count, bytes[at] == topic[index] else { return false }
                    at += 1
                }
            }
            if at == bytes.count { return end == topic.count }
            guard bytes[at] == .levelSeparator else { return false }
            at += 1
            if end == topic.count {
                // `sport/#` takes in its parent `sport`.
                return at < bytes.count && bytes[at] == .multiLevelWildcard
            }
            start = end + 1
        }
    }

    package func matches(topic: String) -> Bool {
        let bytes = Array(topic.utf8)
        return matches(topic: bytes.span)
    }

    /// Whether every topic that `other` can match is matched by this filter as well; share names do not count.
    ///
    /// This is the question of an access rule for SUBSCRIBE: a right to `a/+` does not allow `a/#`.
    package func covers(_ other: TopicFilter) -> Bool {
        if startsWithWildcard, other.bytes.first == .dollar { return false }
        let hash: [UInt8] = [.multiLevelWildcard]
        if other.bytes == hash {
            // Every topic has a first level, so `+/#` says the same as `#`.
            return bytes == hash || bytes == [.singleLevelWildcard, .levelSeparator, .multiLevelWildcard]
        }
        var mine = bytes.split(separator: .levelSeparator, omittingEmptySubsequences: false)[...]
        var theirs = other.bytes.split(separator: .levelSeparator, omittingEmptySubsequences: false)[...]
        while let level = mine.popFirst() {
            if level.first == .multiLevelWildcard { return true }
            guard let otherLevel = theirs.popFirst() else { return false }
            if otherLevel.first == .multiLevelWildcard { return false }
            guard level.first == .singleLevelWildcard || level == otherLevel else { return false }
            if theirs.isEmpty { return mine.isEmpty || mine.first?.first == .multiLevelWildcard }
        }
        return false
    }
}
