/// Client identifiers and topics of a run, made from templates.
///
/// `{n}` stands for a number, or in a topic for the levels below; `{role}` for `p` or `s`, publisher or subscriber; `{run}`
/// for a text that no other run has.
package struct BenchNames: Sendable, Equatable {
    /// Which side of a workload a client is.
    package enum Role: Sendable {
        case publisher
        case subscriber

        var letter: String { self == .publisher ? "p" : "s" }
    }

    package static let defaultClientID = "bench-{run}-{role}{n}"
    package static let defaultTopic = "bench/{run}/{n}"

    private let clientID: String
    /// The topic before and behind `{n}`.
    let topicHead: String
    let topicTail: String

    /// A template that cannot be used; the words say why.
    package struct Complaint: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// - Parameter run: what `{run}` becomes.
    package init(
        clientID: String = defaultClientID,
        topic: String = defaultTopic,
        run: String,
        workload: Workload,
    ) throws(Complaint) {
        let clientID = Self.replace("{run}", in: clientID, with: run)
        guard Self.split(clientID, "{n}") != nil else {
            throw Complaint(description: "a client id template holds {n}, or all clients would have one name")
        }
        guard Self.split(clientID, "{role}") != nil || workload == .storm else {
            throw Complaint(
                description: "a client id template holds {role}, or publishers would be named as subscribers are"
            )
        }
        let topic = Self.replace("{run}", in: topic, with: run)
        guard let parts = Self.split(topic, "{n}"), parts.head.isEmpty || parts.head.hasSuffix("/"),
            parts.tail.isEmpty || parts.tail.hasPrefix("/"), Self.split(parts.tail, "{n}") == nil
        else {
            throw Complaint(description: "a topic template holds {n} once, as a level of its own, as in bench/{n}")
        }
        guard !topic.utf8.contains(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") || $0 == 0 }) else {
            throw Complaint(description: "a topic template holds no wildcards; the workload adds its own")
        }
        guard parts.tail.isEmpty || ![.wildcard, .retained].contains(workload) else {
            throw Complaint(description: "with \(workload.rawValue) {n} is the last level of the topic template")
        }
        guard workload != .p2p || parts.head.contains("/") else {
            throw Complaint(description: "with p2p the topic template begins with the parent topic, as in demo/{n}")
        }
        guard topic.utf8.count <= 1000, clientID.utf8.count <= 1000 else {
            throw Complaint(description: "a template has at most 1000 bytes")
        }
        self.clientID = clientID
        (topicHead, topicTail) = parts
    }

    /// The name of a client.
    package func clientID(_ role: Role, _ number: Int) -> String {
        Self.replace("{role}", in: Self.replace("{n}", in: clientID, with: "\(number)"), with: role.letter)
    }

    /// A topic or filter with these levels in the place of `{n}`.
    package func topic(_ levels: String) -> String { topicHead + levels + topicTail }

    /// The topic on which a client gets messages that nobody subscribes to (apsaramq-facts 3).
    package func directTopic(_ clientID: String) -> String { "\(topicHead.prefix { $0 != "/" })/p2p/\(clientID)" }

    private static func split(_ text: String, _ word: String) -> (head: String, tail: String)? {
        guard let range = text.firstRange(of: word) else { return nil }
        return (String(text[..<range.lowerBound]), String(text[range.upperBound...]))
    }

    private static func replace(_ word: String, in text: String, with value: String) -> String {
        text.replacing(word, with: value)
    }
}
