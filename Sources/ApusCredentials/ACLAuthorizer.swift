package import ApusBroker
internal import ApusLocks
internal import ApusMessage
internal import ApusTopics

/// Grants what an `ACLFile` grants.
///
/// Every answer walks the principal's own rules and those for everybody once; the broker remembers it.
package final class ACLAuthorizer: Authorizer {
    private let path: String
    private let file: Guarded<ACLFile>
    package let revision = RightsRevision()

    package init(path: String) throws(CredentialError) {
        self.path = path
        file = Guarded(try ACLFile(path: path))
    }

    /// Rights that do not come from a file; `reload` fails.
    package init(_ file: ACLFile) {
        path = ""
        self.file = Guarded(file)
    }

    /// Reads the file anew; when it is bad, the rights stay as they were.
    ///
    /// Reading a file is nothing for a shard's thread.
    ///
    /// - Returns: Whether the file says something else than before.
    package func reload() throws(CredentialError) -> Bool {
        let new = try ACLFile(path: path)
        let hasChanged = file.withLock { file in
            defer { file = new }
            return file != new
        }
        revision.advance()
        return hasChanged
    }

    package func denial(of access: Access, to topic: String, for principal: Principal) -> AccessDenial? {
        switch access {
        case .publish: allowsPublish(principal, topic: topic) ? nil : .noRight
        case .subscribe: allowsSubscribe(principal, filter: topic) ? nil : .noRight
        }
    }

    private func allowsPublish(_ principal: Principal, topic: String) -> Bool {
        let topic = Array(topic.utf8)
        return decide(principal, granting: [.write, .readwrite]) { filter in
            filter.matches(topic: topic.span)
        } whether: { filter in
            filter.matches(topic: topic.span)
        }
    }

    private func allowsSubscribe(_ principal: Principal, filter: String) -> Bool {
        let wanted: TopicFilter
        do { wanted = try TopicFilter(filter) } catch { return false }
        // What still bears its group is nothing that a right could cover.
        guard wanted.group == nil else { return false }
        return decide(principal, granting: [.read, .readwrite]) { filter in
            filter.intersects(wanted)
        } whether: { filter in
            filter.covers(wanted)
        }
    }

    private func decide(
        _ principal: Principal,
        granting rights: Set<ACLRule.Access>,
        unless isDenied: (TopicFilter) -> Bool,
        whether isGranted: (TopicFilter) -> Bool,
    ) -> Bool {
        let file = file.withLock { $0 }
        let own = principal.userName.map { file.users[ExactText($0)] ?? [] } ?? file.anonymous
        var granted = false
        for rules in [own, file.clientIDs[ExactText(principal.clientID)] ?? [], file.everybody] {
            for rule in rules where rule.access == .deny || !granted && rights.contains(rule.access) {
                switch (rule.resolved(for: principal), rule.access) {
                case (.nothing, _): continue
                case (.everything, .deny): return false
                case (.everything, _): continue
                case (.filter(let filter), .deny): if isDenied(filter) { return false }
                case (.filter(let filter), _): granted = granted || isGranted(filter)
                }
            }
        }
        return granted
    }
}
