internal import ApusTopics

/// One rule as HTTP services and JWTs write it:
/// `{"effect":"allow|deny","action":["publish","subscribe"],"topic":"a/b/#"}` (apsaramq-facts 2.7).
struct RuleDocument: Decodable {
    var effect: String
    var action: [String]
    var topic: String
}

extension TopicRules {
    /// Rules that cannot be obeyed to the letter are not obeyed in part.
    struct Malformed: Error, Equatable {
        var sentence: String
    }

    init(_ documents: [RuleDocument], limit: Int) throws(Malformed) {
        guard documents.count <= limit else {
            throw Malformed(sentence: "there are \(documents.count) rules; at most \(limit) are allowed")
        }
        rules = []
        for (number, document) in documents.enumerated() {
            func malformed(_ what: String) -> Malformed { Malformed(sentence: "rule \(number + 1) \(what)") }
            guard ["allow", "deny"].contains(document.effect) else {
                throw malformed("has effect \(quoted(document.effect)); it is `allow` or `deny`")
            }
            let actions = Set(document.action)
            guard !actions.isEmpty, actions.isSubset(of: ["publish", "subscribe"]) else {
                throw malformed("needs actions out of `publish` and `subscribe`")
            }
            let filter: TopicFilter
            do { filter = try TopicFilter(document.topic) } catch {
                throw malformed("has topic \(quoted(document.topic)), which is no topic filter: \(error)")
            }
            rules.append(
                TopicRule(
                    isGrant: document.effect == "allow",
                    publish: actions.contains("publish"),
                    subscribe: actions.contains("subscribe"),
                    filter: filter,
                )
            )
        }
    }
}
