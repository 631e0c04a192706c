internal import ApusMessage
internal import ApusResources
internal import ApusTopics

/// Why a topic is not for an instance.
enum TopicRefusal: Error, Equatable {
    /// Not of a form that the instance takes.
    case malformed(String)
    /// Under a parent topic that was not created.
    case unknownParent(String)

    var message: String {
        switch self {
        case .malformed(let message), .unknownParent(let message): message
        }
    }
}

/// The rules for topics that come through the API (apsaramq-facts 1, 3.2); those of clients are the broker's.
struct TopicRule {
    let directory: ResourceDirectory
    let instance: Instance

    /// `GroupID@@@DeviceID` (apsaramq-facts 1).
    private static let clientIDCharacters = 64

    /// Whether a message may be published to the topic.
    func check(topic: String) throws(TopicRefusal) {
        guard !topic.isEmpty, topic.utf8.count <= 65_535 else {
            throw .malformed("a topic has 1 to 65,535 bytes")
        }
        guard !topic.utf8.contains(0) else { throw .malformed("a topic must not hold a null character") }
        // By bytes, as devices read it: a `#` with a combining mark behind it is another character, but no other byte.
        guard !topic.utf8.contains(UInt8(ascii: "+")), !topic.utf8.contains(UInt8(ascii: "#")) else {
            throw .malformed("the topic '\(excerpt(topic))' holds a wildcard; a message goes to one topic")
        }
        guard topic.utf8.first != UInt8(ascii: "$") else {
            throw .malformed("the topic '\(excerpt(topic))' begins with '$', which is the broker's own")
        }
        try check(parentOf: topic)
    }

    /// Whether rights may be given on the topic or filter.
    func check(filter: String) throws(TopicRefusal) {
        do {
            let parsed = try TopicFilter(filter)
            guard parsed.group == nil else { throw TopicRefusal.malformed("rights are given without a share name") }
        } catch let error as TopicFilterError {
            throw .malformed("'\(excerpt(filter))' is no topic filter: \(error)")
        } catch {
            throw .malformed("rights are given on a filter without '$share/'")
        }
        try check(parentOf: filter)
    }

    private func check(parentOf topic: String) throws(TopicRefusal) {
        let policies = instance.effectivePolicies
        // By bytes, as MQTT splits topics.
        let levels = topic.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        let parent = levels[0]
        let isDirect = policies.p2p && levels.count == 3 && levels[1] == "p2p"
        // Of a P2P topic only the parent counts, as the client id may have as many characters itself.
        let counted = isDirect ? parent : topic
        let most = instance.effectiveLimits.topicCharacters
        guard most == 0 || counted.unicodeScalars.count <= most else {
            throw .malformed("the topic has \(counted.unicodeScalars.count) characters; topicCharacters allows \(most)")
        }
        guard !isDirect || levels[2].unicodeScalars.count <= Self.clientIDCharacters else {
            throw .malformed("a client id has at most \(Self.clientIDCharacters) characters")
        }
        guard policies.requiresParentTopic else { return }
        guard !["#", "+"].contains(parent) else {
            throw .unknownParent(
                "'\(excerpt(topic))' is for every parent topic; in the instance '\(instance.id)' each filter is beneath one: "
                    + "write PARENT/#, and one for each of several"
            )
        }
        guard directory.hasTopic(instance.number, parent) else {
            throw .unknownParent(
                "the instance '\(instance.id)' has no parent topic '\(excerpt(parent))'; create it first"
            )
        }
    }
}
