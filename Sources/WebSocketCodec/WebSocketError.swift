/// A rule of RFC 6455 or of MQTT section 6 that the peer broke; the connection cannot go on.
public enum WebSocketError: Error, Sendable, Hashable, CaseIterable {
    /// A reserved bit is set, and no extension was agreed.
    case reservedBits
    case unknownOpcode
    /// A text frame [MQTT-6.0.0-1].
    case textFrame
    /// A client's frame without a mask.
    case notMasked
    /// A server's frame with a mask.
    case masked
    /// A close, ping or pong in several frames.
    case fragmentedControl
    /// A close, ping or pong with more than 125 bytes.
    case controlTooLong
    /// A continuation frame with nothing to continue.
    case nothingToContinue
    /// A new message before the fragments of the last were complete.
    case messageNotFinished
    /// A length in more bytes than it needs.
    case lengthNotMinimal
    /// A length with its highest bit set.
    case lengthTooLarge
    /// A close frame with one byte, or a code that may not be sent.
    case closeCode
    /// A close reason that is not UTF-8.
    case closeReason

    /// The code for the close frame that answers the mistake.
    public var closeCode: CloseCode {
        switch self {
        case .textFrame: .unacceptableData
        case .closeReason: .inconsistentData
        default: .protocolError
        }
    }

    /// One sentence for the log and the close frame.
    public var words: String {
        switch self {
        case .reservedBits: "a reserved bit is set"
        case .unknownOpcode: "the opcode is not known"
        case .textFrame: "MQTT is sent in binary frames [MQTT-6.0.0-1]"
        case .notMasked: "a client's frame is not masked"
        case .masked: "a server's frame is masked"
        case .fragmentedControl: "a control frame is fragmented"
        case .controlTooLong: "a control frame is longer than 125 bytes"
        case .nothingToContinue: "a continuation frame continues nothing"
        case .messageNotFinished: "a message starts before the last one is complete"
        case .lengthNotMinimal: "the payload length is not in its shortest form"
        case .lengthTooLarge: "the payload length has its highest bit set"
        case .closeCode: "the close code is not valid"
        case .closeReason: "the close reason is not UTF-8"
        }
    }
}
