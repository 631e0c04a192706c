internal import ApusBroker
internal import FoundationEssentials

/// How log lines look.
enum LogFormat: Sendable {
    /// For people: time, level, event, then `key=value`.
    case text
    /// For programs: one JSON object a line, with `time`, `level`, `event` and the event's fields as strings.
    case json

    func line(_ event: BrokerEvent, at time: Date) -> String {
        let stamp = time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        switch self {
        case .text:
            let fields = event.fields.filter { !$0.1.isEmpty }.map { " \($0.0)=\(Self.quoted($0.1))" }.joined()
            let level = "\(event.level)".uppercased()
            let padding = String(repeating: " ", count: max(0, 7 - level.count))
            return "\(stamp) \(level)\(padding) \(event.name)\(fields)\n"
        case .json:
            let all = [("time", stamp), ("level", "\(event.level)"), ("event", event.name)] + event.fields
            return "{" + all.map { "\(JSONText.quoted($0.0)):\(JSONText.quoted($0.1))" }.joined(separator: ",") + "}\n"
        }
    }

    /// Quoted where a space, a quotation mark or a control character would blur the fields or fool a terminal.
    private static func quoted(_ text: String) -> String {
        let isPlain = text.unicodeScalars.allSatisfy { scalar in
            scalar.value > 0x20 && !(0x7F...0x9F).contains(scalar.value) && scalar != "\"" && scalar != "="
        }
        return isPlain ? text : JSONText.quoted(text)
    }
}
