/// Why an HTTP request did not become a WebSocket connection, in the terms of the answer to it.
public struct UpgradeRefusal: Error, Sendable, Hashable {
    /// The statuses that a refused upgrade is answered with.
    public enum Status: UInt16, Sendable {
        case badRequest = 400
        case forbidden = 403
        case notFound = 404
        case methodNotAllowed = 405
        case upgradeRequired = 426
        case headTooLarge = 431
        case serviceUnavailable = 503

        /// The reason phrase of the status line.
        public var phrase: String {
            switch self {
            case .badRequest: "Bad Request"
            case .forbidden: "Forbidden"
            case .notFound: "Not Found"
            case .methodNotAllowed: "Method Not Allowed"
            case .upgradeRequired: "Upgrade Required"
            case .headTooLarge: "Request Header Fields Too Large"
            case .serviceUnavailable: "Service Unavailable"
            }
        }
    }

    /// The status of the answer.
    public let status: Status
    /// One sentence for the person at the other end; never anything that the peer sent.
    public let words: String

    /// A refusal; the codec makes its own, the transport adds those of its policy (origin, path, load).
    public init(_ status: Status, _ words: String) {
        self.status = status
        self.words = words
    }
}
