import Foundation
import MQTTCodec
import Testing

@testable import apus

@Suite("JSON lines")
struct JSONLineTests {
    private let time = Date(timeIntervalSince1970: 1_700_000_000.25)

    @Test func `a plain message has no properties`() {
        let line = MessageLine.json(Publish(topic: "a/b", payload: Array("x".utf8), qos: .atLeastOnce), at: time)
        let start = #"{"time":"2023-11-14T22:13:20.250Z","topic":"a/b","payload":"x","#
        #expect(line == start + #""qos":1,"retain":false,"dup":false}"#)
    }

    @Test func `properties keep their order and their doubles`() throws {
        let properties = MessageProperties(
            payloadFormat: .utf8,
            contentType: "text/plain",
            responseTopic: "r",
            correlationData: [0xFF, 0],
            userProperties: [UserProperty("n", "2"), UserProperty("n", "1")],
        )
        let message = Publish(
            topic: "t",
            payload: [],
            retain: true,
            messageExpiryInterval: 9,
            subscriptionIdentifiers: [1, 268_435_455],
            properties: properties,
        )
        let line = MessageLine.json(message, at: time)
        let start = #""payload":"","qos":0,"retain":true,"dup":false,"properties":{"payload_format":"utf8","#
        let middle = #""message_expiry_seconds":9,"content_type":"text/plain","response_topic":"r","#
        let identifiers = #""correlation_data_base64":"/wA=","subscription_identifiers":[1,268435455],"#
        let user = #""user_properties":[{"name":"n","value":"2"},{"name":"n","value":"1"}]}}"#
        #expect(line.hasSuffix(start + middle + identifiers + user))
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
    }

    @Test(
        arguments: [
            ([0x22, 0x5C, 0x0A, 0x0D, 0x09], #""p":"\"\\\n\r\t""#),
            ([0x00, 0x1B, 0x7F], ##""p":"\u0000\u001b\u007f""##),
            (Array("ö🐦".utf8), #""p":"ö🐦""#),
            ([0xC3], #""p_base64":"ww==""#),
            ([0xED, 0xA0, 0x80], #""p_base64":"7aCA""#),
            ([], #""p":"""#),
        ] as [([UInt8], String)]
    )
    func `bytes are text where they can be, and nothing breaks the line`(bytes: [UInt8], field: String) throws {
        var line = JSONLine()
        line.add("p", bytes: bytes)
        #expect(line.text == "{\(field)}")
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.text.utf8)) }
    }

    @Test(arguments: [
        (Duration.microseconds(1237), "1.237"), (.zero, "0.0"), (.seconds(2), "2000.0"), (.nanoseconds(400), "0.0"),
    ])
    func `times are in milliseconds`(time: Duration, text: String) {
        var line = JSONLine()
        line.add("ms", milliseconds: time)
        #expect(line.text == #"{"ms":\#(text)}"#)
    }
}

@Suite("Lines of standard input")
struct LineSplitterTests {
    private func lines(_ pieces: [String]) -> [String] {
        var splitter = LineSplitter()
        var lines: [String] = []
        func take() {
            while let line = splitter.next() { lines.append(String(decoding: line, as: UTF8.self)) }
        }
        for piece in pieces {
            splitter.append(Array(piece.utf8))
            take()
        }
        splitter.end()
        take()
        return lines
    }

    @Test(
        arguments: [
            ("", []), ("\n", [""]), ("a", ["a"]), ("a\n", ["a"]), ("a\nb", ["a", "b"]),
            ("\n\na\n\n", ["", "", "a", ""]),
            ("a\r\nb", ["a\r", "b"]),
        ] as [(String, [String])]
    )
    func `each line is one, however the text is cut`(text: String, expected: [String]) {
        #expect(lines([text]) == expected)
        #expect(lines(text.map(String.init)) == expected)
        for cut in 0...text.utf8.count {
            let bytes = Array(text.utf8)
            let pieces = [bytes[..<cut], bytes[cut...]].map { String(decoding: $0, as: UTF8.self) }
            #expect(lines(pieces) == expected)
        }
    }

    @Test func `a line is there only when its end is`() {
        var splitter = LineSplitter()
        splitter.append(Array("ab".utf8))
        #expect(!splitter.hasLine)
        #expect(splitter.next() == nil)
        splitter.append(Array("c\nd".utf8))
        #expect(splitter.next() == Array("abc".utf8))
        #expect(splitter.next() == nil)
        splitter.end()
        #expect(splitter.next() == Array("d".utf8))
        #expect(splitter.next() == nil)
    }
}

@Suite("Packets shown")
struct PacketTraceTests {
    @Test func `a password is never shown, a packet cut anywhere is shown once`() {
        let connect = Connect(clientIdentifier: "me", userName: "alice", password: Array("geheim".utf8))
        var bytes: [UInt8] = []
        Packet.connect(connect).encode(into: &bytes, version: .v5)
        Packet.pingReq.encode(into: &bytes, version: .v5)
        var trace = PacketTrace(sender: .client, version: .v5)
        let lines = bytes.flatMap { trace.describe([$0]) }
        #expect(lines == ["> CONNECT me, clean start, keep alive 0 s, user alice, 32 bytes", "> PINGREQ, 2 bytes"])
    }

    @Test func `after nonsense nothing more is guessed`() {
        var trace = PacketTrace(sender: .server, version: .v5)
        #expect(trace.describe([0x00, 0x00]).count == 1)
        #expect(trace.describe([0xD0, 0x00]) == [])
    }
}
