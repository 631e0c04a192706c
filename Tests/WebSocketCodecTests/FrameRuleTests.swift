import Testing
import WebSocketCodec

/// A mistake and what has to be said about it.
struct Violation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let error: WebSocketError
    var peer = WebSocketInput.Peer.client
    /// Application bytes that came before the mistake.
    var before: [UInt8] = []

    init(
        _ text: String,
        _ error: WebSocketError,
        _ wires: [Wire],
        peer: WebSocketInput.Peer = .client,
        before: [UInt8] = []
    ) {
        self.init(text, error, bytes: wires.flatMap(\.bytes), peer: peer, before: before)
    }

    init(
        _ text: String,
        _ error: WebSocketError,
        bytes: [UInt8],
        peer: WebSocketInput.Peer = .client,
        before: [UInt8] = []
    ) {
        testDescription = text
        self.error = error
        self.bytes = bytes
        self.peer = peer
        self.before = before
    }
}

@Suite("Frames against the rules")
struct FrameRuleTests {
    static let violations: [Violation] = [
        Violation("RSV1", .reservedBits, bytes: [0xC2]),
        Violation("RSV2", .reservedBits, bytes: [0xA2]),
        Violation("RSV3", .reservedBits, bytes: [0x92]),
        Violation("RSV1 on a ping", .reservedBits, bytes: [0xC9]),
        Violation("text", .textFrame, bytes: [0x81]),
        Violation("text fragment", .textFrame, bytes: [0x01]),
        Violation("fragmented close", .fragmentedControl, bytes: [0x08]),
        Violation("fragmented ping", .fragmentedControl, bytes: [0x09]),
        Violation("fragmented pong", .fragmentedControl, bytes: [0x0A]),
        Violation("client without mask", .notMasked, bytes: [0x82, 0x01]),
        Violation("client's ping without mask", .notMasked, bytes: [0x89, 0x00]),
        Violation("server with mask", .masked, bytes: [0x82, 0x81], peer: .server),
        Violation("server's empty frame with mask", .masked, bytes: [0x82, 0x80], peer: .server),
        Violation("long ping", .controlTooLong, bytes: [0x89, 0xFE]),
        Violation("very long close", .controlTooLong, bytes: [0x88, 0xFF]),
        Violation("continuation of nothing", .nothingToContinue, [.data([1], .continuation)]),
        Violation(
            "continuation after the end",
            .nothingToContinue,
            [.data([1], isFinal: false), .data([2], .continuation), .data([3], .continuation)],
            before: [1, 2]
        ),
        Violation(
            "continuation after a whole message",
            .nothingToContinue,
            [.data([1]), .data([2], .continuation)],
            before: [1]
        ),
        Violation(
            "new message within a message",
            .messageNotFinished,
            [.data([1], isFinal: false), .data([2])],
            before: [1]
        ),
        Violation(
            "new fragments within a message",
            .messageNotFinished,
            [.data([1], isFinal: false), .data([], .continuation, isFinal: false), .data([2], isFinal: false)],
            before: [1]
        ),
        Violation(
            "125 in two bytes",
            .lengthNotMinimal,
            [Wire(first: 0x82, payload: [UInt8](repeating: 0, count: 125), lengthBytes: 2)]
        ),
        Violation("0 in two bytes", .lengthNotMinimal, [Wire(first: 0x82, lengthBytes: 2)]),
        Violation("0 in eight bytes", .lengthNotMinimal, [Wire(first: 0x82, lengthBytes: 8)]),
        Violation(
            "65535 in eight bytes",
            .lengthNotMinimal,
            [Wire(first: 0x82, payload: [UInt8](repeating: 0, count: 65535), lengthBytes: 8)]
        ),
        Violation("2^63", .lengthTooLarge, bytes: [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        Violation("2^64 - 1", .lengthTooLarge, bytes: [0x82] + [UInt8](repeating: 0xFF, count: 9)),
        Violation("close of one byte", .closeCode, [Wire(first: 0x88, payload: [3])]),
        Violation("close reason of half a character", .closeReason, [Wire(first: 0x88, payload: [0x03, 0xE8, 0xC3])]),
        Violation(
            "close reason of a surrogate",
            .closeReason,
            [Wire(first: 0x88, payload: [0x03, 0xE8, 0xED, 0xA0, 0x80])]
        ),
    ]

    @Test(arguments: violations)
    func `a broken rule is named`(violation: Violation) {
        let decoded = decode([violation.bytes], from: violation.peer)
        #expect(decoded.error == violation.error)
        #expect(decoded.stream == violation.before)
        let bytewise = decode(violation.bytes.map { [$0] }, from: violation.peer)
        #expect(bytewise.error == violation.error)
        #expect(bytewise.stream == violation.before)
    }

    @Test(arguments: [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] as [UInt8])
    func `an unknown opcode is refused at its byte`(opcode: UInt8) {
        #expect(decode([[0x80 | opcode]]).error == .unknownOpcode)
        #expect(decode([[opcode]]).error == .unknownOpcode)
    }

    @Test func `every mistake has a code that may be sent and words that fit`() {
        for error in WebSocketError.allCases {
            #expect(error.closeCode.isAllowedOnWire)
            #expect((1...123).contains(error.words.utf8.count))
        }
        #expect(WebSocketError.textFrame.closeCode == .unacceptableData)
        #expect(WebSocketError.closeReason.closeCode == .inconsistentData)
        #expect(WebSocketError.notMasked.closeCode == .protocolError)
    }

    @Test func `a mistake shows whatever the cut before it`() {
        let bytes = Wire.data([1, 2, 3]).bytes + Wire(first: 0x89, payload: [4]).bytes + Wire.data([5], .text).bytes
        for cut in 0...bytes.count {
            let decoded = decode([Array(bytes[..<cut]), Array(bytes[cut...])])
            #expect(decoded == Decoded(stream: [1, 2, 3], events: [.ping([4])], error: .textFrame, positions: [3]))
        }
    }
}
