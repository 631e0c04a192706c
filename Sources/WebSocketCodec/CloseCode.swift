/// Why a WebSocket connection ends (RFC 6455, section 7.4).
public struct CloseCode: RawRepresentable, Sendable, Hashable {
    /// The number on the wire.
    public let rawValue: UInt16

    /// Any code; whether it may be sent is ``isAllowedOnWire``.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The purpose of the connection is fulfilled.
    public static let normal = CloseCode(rawValue: 1000)
    /// The endpoint goes away, as a server that stops.
    public static let goingAway = CloseCode(rawValue: 1001)
    /// The peer broke a rule of the protocol.
    public static let protocolError = CloseCode(rawValue: 1002)
    /// A kind of data that the endpoint does not take, as text.
    public static let unacceptableData = CloseCode(rawValue: 1003)
    /// Data that does not agree with its kind.
    public static let inconsistentData = CloseCode(rawValue: 1007)
    /// The endpoint's policy.
    public static let policyViolation = CloseCode(rawValue: 1008)
    /// A message larger than the endpoint takes.
    public static let messageTooBig = CloseCode(rawValue: 1009)
    /// Something unexpected in the server.
    public static let internalError = CloseCode(rawValue: 1011)

    /// Whether a close frame may carry the code: registered with IANA, or in the ranges of libraries and applications.
    public var isAllowedOnWire: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
