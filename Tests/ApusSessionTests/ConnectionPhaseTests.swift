import ApusSession
import MQTTCodec
import Testing

@Suite("Connection phase")
struct ConnectionPhaseTests {
    private static let versions = ProtocolVersion.allCases

    @Test(.spec("MQTT-3.1.0-1"), arguments: versions, PacketType.allCases)
    func `before CONNECT only CONNECT may come`(version: ProtocolVersion, packet: PacketType) {
        let verdict = ConnectionPhase.awaitingConnect.verdict(on: packet, version: version)
        if packet == .connect {
            #expect(verdict == .process)
        } else {
            #expect(verdict.rule == "MQTT-3.1.0-1")
        }
    }

    @Test(.spec("MQTT-3.1.2-30"), arguments: versions, PacketType.allCases)
    func `while authenticating only AUTH and DISCONNECT may come`(version: ProtocolVersion, packet: PacketType) {
        let verdict = ConnectionPhase.authenticating.verdict(on: packet, version: version)
        if packet == .disconnect || (packet == .auth && version == .v5) {
            #expect(verdict == .process)
        } else {
            #expect(verdict.rule == "MQTT-3.1.2-30")
        }
    }

    @Test(.spec("MQTT-3.1.0-2"), arguments: versions, PacketType.allCases)
    func `once connected everything but a second CONNECT is looked at`(version: ProtocolVersion, packet: PacketType) {
        let verdict = ConnectionPhase.connected.verdict(on: packet, version: version)
        if packet == .connect {
            #expect(verdict.rule == "MQTT-3.1.0-2")
        } else {
            #expect(verdict == .process)
        }
    }

    @Test(arguments: versions, PacketType.allCases)
    func `a closing connection reads nothing`(version: ProtocolVersion, packet: PacketType) {
        #expect(ConnectionPhase.closing.verdict(on: packet, version: version) == .ignore)
    }
}

extension ConnectionPhase.Verdict {
    fileprivate var rule: String? {
        if case .violation(let rule, _) = self { rule } else { nil }
    }
}
