/// A topic or filter as the service's rules see it: parent topic, and the client id of a P2P topic.
struct TopicLevels {
    /// The first level.
    let parent: Substring.UTF8View
    /// What follows `{parent}/p2p/`, to the end.
    ///
    /// `nil` when the second level is not exactly `p2p`, in lower case, or is the last one (apsaramq-facts 3.2).
    let behindP2P: Substring.UTF8View?

    /// The client id of a P2P topic: the third level, and the last one.
    var p2pTarget: Substring.UTF8View? {
        guard let behindP2P, !behindP2P.isEmpty, !behindP2P.contains(UInt8(ascii: "/")) else { return nil }
        return behindP2P
    }

    init(_ topic: String) {
        let bytes = topic[...].utf8
        let slash = UInt8(ascii: "/")
        guard let end = bytes.firstIndex(of: slash) else {
            parent = bytes
            behindP2P = nil
            return
        }
        parent = bytes[..<end]
        let rest = bytes[end...]
        let mark = "/p2p/".utf8
        behindP2P = rest.starts(with: mark) ? rest.dropFirst(mark.count) : nil
    }

    var hasWildcardParent: Bool { parent.elementsEqual("+".utf8) || parent.elementsEqual("#".utf8) }
}
