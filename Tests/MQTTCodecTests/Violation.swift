import MQTTCodec
import Testing

/// Bytes that break one rule, and the error that has to say so.
struct Violation: CustomTestStringConvertible, Sendable {
    let rule: String
    let name: String
    let version: ProtocolVersion
    let sender: Sender
    let bytes: [UInt8]
    let error: DecodeError

    init(
        _ rule: String,
        _ name: String,
        _ version: ProtocolVersion,
        from sender: Sender = .client,
        _ bytes: [UInt8],
        _ error: DecodeError,
    ) {
        self.rule = rule
        self.name = name
        self.version = version
        self.sender = sender
        self.bytes = bytes
        self.error = error
    }

    var testDescription: String { "\(name) (\(version)) [\(rule)]" }

    func check() throws {
        #expect(throws: error) { try decode(bytes, version, from: sender) }
        let frame = try frame(bytes)
        if frame.type == .publish {
            #expect(throws: error) {
                try PublishView.decode(bytes.span, frame: frame, version: version, sender: sender)
            }
        }
        if [.pubAck, .pubRec, .pubRel, .pubComp].contains(frame.type) {
            #expect(throws: error) { try AcknowledgementView.decode(bytes.span, frame: frame, version: version) }
        }
    }
}
