/// Why the transport cannot start or reload, for the person who started it.
package struct TransportError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The listener's name; empty when the error is not one listener's.
    package let listener: String
    /// The endpoint as URL; empty as above.
    package let endpoint: String
    /// What failed, with the system's words.
    package let problem: String
    /// What to do about it; may be empty.
    package let advice: String

    init(listener: ListenerConfiguration? = nil, _ problem: String, advice: String = "") {
        self.listener = listener?.name ?? ""
        endpoint = listener?.endpoint ?? ""
        self.problem = problem
        self.advice = advice
    }

    package var description: String {
        let subject = listener.isEmpty ? "" : "listener \(listener) (\(endpoint)): "
        return advice.isEmpty ? subject + problem : "\(subject)\(problem); \(advice)"
    }
}
