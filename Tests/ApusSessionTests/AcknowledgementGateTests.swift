import ApusMessage
import ApusSession
import MQTTCodec
import Testing

@Suite("Acknowledgement gate")
struct AcknowledgementGateTests {
    private func position(_ value: UInt64) -> StorePosition { StorePosition(rawValue: value) }

    private func held(
        _ kind: OwedAcknowledgement.Kind,
        _ identifier: PacketIdentifier,
        _ reasonCode: ReasonCode = .success,
    ) -> AcknowledgementGate.Held {
        .acknowledgement(OwedAcknowledgement(kind, identifier, reasonCode))
    }

    /// The identifiers of what leaves when the store has committed so far.
    private func leaving(_ gate: inout AcknowledgementGate, committed: UInt64) -> [PacketIdentifier] {
        var identifiers: [PacketIdentifier] = []
        while let next = gate.next(committed: position(committed)) {
            switch next {
            case .acknowledgement(let owed): identifiers.append(owed.identifier)
            case .publish(let identifier, _, _): identifiers.append(identifier)
            case .connAck, .answer: identifiers.append(0)
            }
        }
        return identifiers
    }

    @Test func `what needs no store leaves at once`() {
        let gate = AcknowledgementGate()
        #expect(gate.isOpen(until: .none, committed: .none))
    }

    @Test func `what is committed already leaves at once`() {
        let gate = AcknowledgementGate()
        #expect(gate.isOpen(until: position(4), committed: position(4)))
    }

    @Test func `an uncommitted one waits until the store has reached its position`() {
        var gate = AcknowledgementGate()
        #expect(!gate.isOpen(until: position(2), committed: position(1)))
        gate.hold(held(.pubAck, 1), until: position(2))
        #expect(leaving(&gate, committed: 1) == [])
        #expect(leaving(&gate, committed: 2) == [1])
        #expect(leaving(&gate, committed: 9) == [])
    }

    @Test(.spec("MQTT-4.6.0-2", "MQTT-4.6.0-3"))
    func `one that waits holds back those after it, in order`() {
        var gate = AcknowledgementGate()
        gate.hold(held(.pubAck, 1), until: position(5))
        #expect(!gate.isOpen(until: .none, committed: .none))
        gate.hold(held(.pubRec, 2), until: .none)
        gate.hold(held(.pubAck, 3, .notAuthorized), until: position(7))
        #expect(gate.waitingCount == 3)
        #expect(leaving(&gate, committed: 4) == [])
        #expect(leaving(&gate, committed: 5) == [1, 2])
        #expect(leaving(&gate, committed: 8) == [3])
        #expect(gate.waitingCount == 0)
        #expect(gate.isOpen(until: .none, committed: position(8)))
    }

    @Test func `packets of all kinds share one order`() {
        var gate = AcknowledgementGate()
        let message = Message(topic: "t", payload: [], qos: .exactlyOnce)
        let delivery = Delivery(message: message, qos: .exactlyOnce, retain: false)
        gate.hold(.answer([0x90]), until: position(1))
        gate.hold(.publish(7, delivery, dup: false), until: position(2))
        gate.hold(held(.pubRel, 8), until: position(2))
        gate.hold(held(.pubComp, 9), until: .none)
        #expect(leaving(&gate, committed: 1) == [0])
        #expect(leaving(&gate, committed: 2) == [7, 8, 9])
    }

    @Test func `only PUBACK packets are counted: the rest stands elsewhere already`() {
        var gate = AcknowledgementGate()
        gate.hold(held(.pubRec, 1), until: position(1))
        gate.hold(held(.pubAck, 2), until: position(2))
        gate.hold(held(.pubRel, 3), until: position(2))
        gate.hold(.answer([0x90]), until: position(2))
        #expect(gate.waitingPubAcks == 1)
        _ = gate.next(committed: position(1))
        #expect(gate.waitingPubAcks == 1)
        _ = gate.next(committed: position(2))
        #expect(gate.waitingPubAcks == 0)
    }
}
