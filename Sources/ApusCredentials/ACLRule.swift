internal import ApusBroker
internal import ApusTopics

/// One right or prohibition of an ACL file.
struct ACLRule: Sendable, Equatable {
    enum Access: String, Sendable, CaseIterable {
        case read, write, readwrite, deny
    }

    /// The filter for one principal.
    enum Resolution {
        case filter(TopicFilter)
        /// A prohibition whose place cannot be told: everything is forbidden.
        case everything
        /// The rule says nothing about this principal.
        case nothing
    }

    private enum Level: Sendable, Equatable {
        case text(String)
        case clientID, userName
    }

    let access: Access
    private let fixed: TopicFilter?
    private let levels: [Level]

    /// - Parameter text: A topic filter; `%c` and `%u` stand for client id and user name as a whole level.
    init(_ access: Access, filter text: Substring) throws(FormatError) {
        self.access = access
        // By bytes: as characters, a slash with a combining mark behind it is another character.
        guard !text.utf8.starts(with: "$share/".utf8) else {
            throw FormatError("name the filter behind the group, not $share/…")
        }
        var levels: [Level] = []
        var sample: [String] = []
        var isFixed = true
        for level in text.split(separator: "/", omittingEmptySubsequences: false) {
            switch level {
            case "%c": levels.append(.clientID)
            case "%u": levels.append(.userName)
            default:
                guard !level.contains("%c"), !level.contains("%u") else {
                    throw FormatError("%c and %u must be a whole level, as in devices/%c/state")
                }
                levels.append(.text(String(level)))
                sample.append(String(level))
                continue
            }
            isFixed = false
            sample.append("x")
        }
        let filter: TopicFilter
        do {
            filter = try TopicFilter(sample.joined(separator: "/"))
        } catch {
            throw FormatError("`\(text)` is not a topic filter: \(error)")
        }
        fixed = isFixed ? filter : nil
        self.levels = levels
    }

    /// The rule's filter with the principal's names in it.
    ///
    /// A name that would change the shape of the filter grants nothing, and a prohibition with such a name covers
    /// everything from its level down: neither can be widened by choosing a clever client id.
    func resolved(for principal: Principal) -> Resolution {
        if let fixed { return .filter(fixed) }
        var texts: [String] = []
        for (index, level) in levels.enumerated() {
            let name: String?
            switch level {
            case .text(let text):
                texts.append(text)
                continue
            case .clientID: name = principal.clientID
            case .userName: name = principal.userName
            }
            // No user name, no private place of that user: nothing to grant, nothing to forbid.
            guard let name, !name.isEmpty else { return .nothing }
            let bytes = name.utf8
            let isPlain = !bytes.contains { $0 == 0x2B || $0 == 0x23 || $0 == 0x2F || $0 == 0 }
            if access == .deny {
                if !isPlain {
                    if index == 0 { return .everything }
                    texts.append("#")
                    break
                }
            } else if !isPlain || index == 0 && bytes.first == UInt8(ascii: "$") {
                return .nothing
            }
            texts.append(name)
        }
        do {
            return .filter(try TopicFilter(texts.joined(separator: "/")))
        } catch {
            // A name that no topic can hold, or one that makes the filter too long.
            return access == .deny ? .everything : .nothing
        }
    }
}
