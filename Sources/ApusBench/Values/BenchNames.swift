/// Client identifiers and topics of a run, made from templates.
///
/// `{n}` stands for a number, or in a topic for the levels below, and may be missing where one side is another program; `{role}` for `p` or `s`, publisher or subscriber; `{run}`
/// for a text that no other run has.
package struct BenchNames: Sendable, Equatable {
    /// Which side of a workload a client is.
    package enum Role: Sendable {
        case publisher
        case subscriber

        var letter: String { self == .publisher ? "p" : "s" }
    }

    package static let defaultClientID = "bench-{run}-{role}{n}"
    package static func defaultTopic(_ workload: Workload) -> String {
        workload.isOneSided ? "bench/{n}" : "bench/{run}/{n}"
    }

    private let clientID: String
    private let run: String
    /// The topic before and behind `{n}`.
    let topicHead: String
    let topicTail: String
    /// Whether there is only one topic, without `{n}`.
    private let isSingle: Bool

    /// A template that cannot be used; the words say why.
    package struct Complaint: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// - Parameter run: what `{run}` becomes.
    package init(
        clientID: String = defaultClientID,
        topic: String? = nil,
        run: String,
        workload: Workload,
    ) throws(Complaint) {
        if let unknown = Self.placeholder(in: clientID, besides: ["{n}", "{role}", "{run}"]) {
            throw Complaint(description: "a client id template knows {n}, {role} and {run}, but not \(unknown)")
        }
        let template = topic ?? Self.defaultTopic(workload)
        if let unknown = Self.placeholder(in: template, besides: ["{n}", "{run}"]) {
            throw Complaint(description: "a topic template knows {n} and {run}, but not \(unknown)")
        }
        let clientID = Self.replace("{run}", in: clientID, with: run)
        guard Self.split(clientID, "{n}") != nil else {
            throw Complaint(description: "a client id template holds {n}, or all clients would have one name")
        }
        guard Self.split(clientID, "{role}") != nil || workload == .storm || workload.isOneSided else {
            throw Complaint(
                description: "a client id template holds {role}, or publishers would be named as subscribers are"
            )
        }
        let topic = Self.replace("{run}", in: template, with: run)
        let parts = try Self.parts(of: topic, workload)
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
        self.run = run
        (topicHead, topicTail) = parts
        isSingle = Self.split(topic, "{n}") == nil
    }

    /// What stands before and behind `{n}` in a topic.
    private static func parts(of topic: String, _ workload: Workload) throws(Complaint) -> (head: String, tail: String)
    {
        let wildcards = workload == .subscribe ? "" : "+#"
        guard !topic.isEmpty, !topic.contains("\0"), !topic.contains(where: wildcards.contains) else {
            throw Complaint(description: "a topic template holds no wildcards; the workload adds its own")
        }
        guard let parts = split(topic, "{n}") else {
            guard workload.isOneSided else { throw Complaint(description: Self.place) }
            return (topic, "")
        }
        guard parts.head.isEmpty || parts.head.hasSuffix("/"), parts.tail.isEmpty || parts.tail.hasPrefix("/"),
            split(parts.tail, "{n}") == nil
        else { throw Complaint(description: Self.place) }
        return parts
    }

    private static let place = "a topic template holds {n} once, as a level of its own, as in bench/{n}"

    /// The name of a client.
    package func clientID(_ role: Role, _ number: Int) -> String {
        Self.replace("{role}", in: Self.replace("{n}", in: clientID, with: "\(number)"), with: role.letter)
    }

    /// A user name with the same placeholders.
    func userName(_ template: String, _ role: Role, _ number: Int) -> String {
        guard template.utf8.contains(UInt8(ascii: "{")) else { return template }
        let words = Self.replace("{role}", in: Self.replace("{n}", in: template, with: "\(number)"), with: role.letter)
        return Self.replace("{run}", in: words, with: run)
    }

    /// A topic or filter with these levels in the place of `{n}`.
    package func topic(_ levels: String) -> String { isSingle ? topicHead : topicHead + levels + topicTail }

    /// The topic on which a client gets messages that nobody subscribes to (apsaramq-facts 3).
    package func directTopic(_ clientID: String) -> String { "\(topicHead.prefix { $0 != "/" })/p2p/\(clientID)" }

    /// The first word in braces that is none of these.
    private static func placeholder(in template: String, besides known: [Substring]) -> Substring? {
        var rest = template[...]
        while let start = rest.firstIndex(of: "{"), let end = rest[start...].firstIndex(of: "}") {
            let word = rest[start...end]
            if !known.contains(word) { return word }
            rest = rest[end...].dropFirst()
        }
        return nil
    }

    private static func split(_ text: String, _ word: String) -> (head: String, tail: String)? {
        guard let range = text.firstRange(of: word) else { return nil }
        return (String(text[..<range.lowerBound]), String(text[range.upperBound...]))
    }

    private static func replace(_ word: String, in text: String, with value: String) -> String {
        text.replacing(word, with: value)
    }
}
