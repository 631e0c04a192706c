internal import ApusBroker
internal import ApusMessage
internal import ApusResources
internal import ApusTopics

/// The types under which MQTT clients present tokens (apsaramq-facts 2.2).
enum TokenType: String, Sendable, CaseIterable {
    case read = "R"
    case write = "W"
    case readWrite = "RW"

    var reads: Bool { self != .write }
    var writes: Bool { self != .read }
}

/// A token that was good when it was presented.
struct HeldToken: Sendable {
    /// As the client names it, also in notices.
    var type: TokenType
    /// Whether this token is the one that speaks for reading; a newer token may have taken that over.
    var reads: Bool
    var writes: Bool
    var token: Token
    /// The resources; one that is no topic filter grants nothing.
    var filters: [TopicFilter]

    init(_ token: Token, type: TokenType) {
        self.type = type
        reads = type.reads
        writes = type.writes
        self.token = token
        filters = token.resources.compactMap { resource in
            do { return try TopicFilter(resource) } catch { return nil }
        }
    }

    func has(_ access: Access) -> Bool { access == .publish ? writes : reads }
}

/// The tokens of a connection, at most one for each type.
struct HeldTokens: Sendable {
    var accessKeyID: String
    private(set) var all: [HeldToken]

    init(accessKeyID: String, _ tokens: [HeldToken]) {
        self.accessKeyID = accessKeyID
        all = tokens
    }

    /// Puts in a newer token, which alone decides on its actions from then on.
    mutating func replace(with newer: HeldToken) {
        for index in all.indices {
            if newer.reads { all[index].reads = false }
            if newer.writes { all[index].writes = false }
        }
        all.removeAll { !$0.reads && !$0.writes }
        all.append(newer)
    }

    /// The one that ends first.
    var first: HeldToken? { all.min { $0.token.expiresAt < $1.token.expiresAt } }

    /// When the first of them ends.
    var validUntil: Timestamp { first.map { Timestamp(milliseconds: $0.token.expiresAt) } ?? .distantFuture }

    /// About five minutes before the end; for a shorter token at once.
    var noticeAt: Timestamp {
        first == nil ? .distantFuture : validUntil.adding(milliseconds: -Self.noticeMilliseconds)
    }

    private static let noticeMilliseconds: Int64 = 300_000

    /// What the tokens say to an access.
    enum Decision: Equatable {
        case granted
        /// No token has the action.
        case actionNotCovered
        /// No token with the action has the topic.
        case resourceNotCovered
    }

    /// As for `TopicRules.decision`.
    func decision(on access: Access, to topic: String) -> Decision {
        let fitting = all.filter { $0.has(access) }
        guard !fitting.isEmpty else { return .actionNotCovered }
        switch access {
        case .publish:
            let bytes = Array(topic.utf8)
            for held in fitting where held.filters.contains(where: { $0.matches(topic: bytes.span) }) {
                return .granted
            }
        case .subscribe:
            let wanted: TopicFilter
            do { wanted = try TopicFilter(topic) } catch { return .resourceNotCovered }
            for held in fitting where held.filters.contains(where: { $0.covers(wanted) }) { return .granted }
        }
        return .resourceNotCovered
    }
}
