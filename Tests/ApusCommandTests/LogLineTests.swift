import ApusBroker
import Foundation
import Testing

@testable import apus

@Suite("Lines of the log")
struct LogLineTests {
    private func line(_ clientID: String, _ format: LogFormat) -> String {
        let event = BrokerEvent(.notice, "client.refused", [("client_id", clientID)])
        return format.line(event, at: Date(timeIntervalSince1970: 0))
    }

    @Test func `a text that needs no quotation marks has none`() {
        #expect(line("GID_a@@@ä1", .text).hasSuffix(" client.refused client_id=GID_a@@@ä1\n"))
    }

    @Test(arguments: [
        ("a\nb", #""a\nb""#), ("a b", #""a b""#), ("a=b", #""a=b""#), ("a\"b", #""a\"b""#),
        ("\u{1B}[2J", #""\u001b[2J""#), ("\u{7F}", #""\u007f""#),
        // The same escape sequence in one character, and a line end that is none in ASCII.
        ("\u{9B}2J", #""\u009b2J""#), ("a\u{85}b", #""a\u0085b""#),
    ])
    func `what a client calls itself neither ends a line nor steers a terminal`(clientID: String, shown: String) {
        #expect(line(clientID, .text).hasSuffix(" client_id=\(shown)\n"))
        #expect(line(clientID, .json).hasSuffix(#""client_id":"# + shown + "}\n"))
    }
}
