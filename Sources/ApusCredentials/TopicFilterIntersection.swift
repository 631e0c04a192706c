internal import ApusTopics

extension TopicFilter {
    /// Whether some topic name matches both filters.
    func intersects(_ other: TopicFilter) -> Bool {
        // A wildcard in the first level never stands for a name that begins with `$` [MQTT-4.7.2-1].
        let dollar = UInt8(ascii: "$")
        if startsWithWildcard && other.bytes.first == dollar { return false }
        if other.startsWithWildcard && bytes.first == dollar { return false }
        let separator = UInt8(ascii: "/")
        let left = bytes.split(separator: separator, omittingEmptySubsequences: false)
        let right = other.bytes.split(separator: separator, omittingEmptySubsequences: false)
        let anything: [UInt8] = [UInt8(ascii: "#")]
        let oneLevel: [UInt8] = [UInt8(ascii: "+")]
        for index in 0..<max(left.count, right.count) {
            // `a/#` matches `a` too, so a `#` is enough even where the other filter has just ended.
            let mine = index < left.count ? left[index] : nil
            let theirs = index < right.count ? right[index] : nil
            if mine == anything[...] || theirs == anything[...] { return true }
            guard let mine, let theirs, mine == oneLevel[...] || theirs == oneLevel[...] || mine == theirs else {
                return false
            }
        }
        return true
    }
}
