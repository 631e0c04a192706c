internal import ApusBroker
internal import ApusTopics

/// One explicit right or prohibition.
struct TopicRule: Sendable {
    var isGrant: Bool
    var publish: Bool
    var subscribe: Bool
    var filter: TopicFilter

    func concerns(_ access: Access) -> Bool { access == .publish ? publish : subscribe }
}

/// Explicit rights: what none grants is refused, and a prohibition beats every grant, wherever it stands.
struct TopicRules: Sendable {
    enum Decision: Equatable {
        case granted
        /// By a prohibition with this filter.
        case forbidden(by: String)
        case notGranted
    }

    var rules: [TopicRule]

    /// - Parameter topic: a topic name to publish to, or a filter to subscribe to: then a grant must cover all that it
    ///   can match, and no prohibition may reach into it.
    func decision(on access: Access, to topic: String) -> Decision {
        switch access {
        case .publish:
            let bytes = Array(topic.utf8)
            return decide(
                access,
                isForbidden: { $0.matches(topic: bytes.span) },
                isGranted: { $0.matches(topic: bytes.span) }
            )
        case .subscribe:
            let wanted: TopicFilter
            do { wanted = try TopicFilter(topic) } catch { return .notGranted }
            return decide(access, isForbidden: { $0.intersects(wanted) }, isGranted: { $0.covers(wanted) })
        }
    }

    private func decide(
        _ access: Access,
        isForbidden: (TopicFilter) -> Bool,
        isGranted: (TopicFilter) -> Bool,
    ) -> Decision {
        var granted = false
        for rule in rules where rule.concerns(access) {
            if !rule.isGrant {
                if isForbidden(rule.filter) { return .forbidden(by: rule.filter.text) }
            } else if !granted {
                granted = isGranted(rule.filter)
            }
        }
        return granted ? .granted : .notGranted
    }
}
