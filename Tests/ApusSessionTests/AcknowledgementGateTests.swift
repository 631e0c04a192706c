import ApusMessage
import ApusSession
import MQTTCodec
import Testing

@Suite("Acknowledgement gate")
struct AcknowledgementGateTests {
    private func position(_ value: UInt64) -> StorePosition { StorePosition(rawValue: value) }

    @Test func `what needs no store leaves at once`() {
        var gate = AcknowledgementGate()
        let answer1 = gate.owes(OwedAcknowledgement(.pubAck, 1), until: .none, committed: .none)
        #expect(answer1)
        #expect(gate.waitingCount == 0)
    }

    @Test func `what is committed already leaves at once`() {
        var gate = AcknowledgementGate()
        let answer2 = gate.owes(OwedAcknowledgement(.pubAck, 1), until: position(4), committed: position(4))
        #expect(answer2)
    }

    @Test func `an uncommitted one waits until the store has reached its position`() {
        var gate = AcknowledgementGate()
        let answer3 = gate.owes(OwedAcknowledgement(.pubAck, 1), until: position(2), committed: position(1))
        #expect(!answer3)
        let answer4 = gate.next(committed: position(1))
        #expect(answer4 == nil)
        let answer5 = gate.next(committed: position(2))
        #expect(answer5 == OwedAcknowledgement(.pubAck, 1))
        let answer6 = gate.next(committed: position(9))
        #expect(answer6 == nil)
    }

    @Test(.spec("MQTT-4.6.0-2", "MQTT-4.6.0-3"))
    func `one that waits holds back those after it, in order`() {
        var gate = AcknowledgementGate()
        let answer7 = gate.owes(OwedAcknowledgement(.pubAck, 1), until: position(5), committed: .none)
        #expect(!answer7)
        let answer8 = gate.owes(OwedAcknowledgement(.pubRec, 2), until: .none, committed: .none)
        #expect(!answer8)
        let answer9 = gate.owes(OwedAcknowledgement(.pubAck, 3, .notAuthorized), until: position(7), committed: .none)
        #expect(!answer9)
        #expect(gate.waitingCount == 3)
        let answer10 = gate.next(committed: position(4))
        #expect(answer10 == nil)
        let answer11 = gate.next(committed: position(5))
        #expect(answer11 == OwedAcknowledgement(.pubAck, 1))
        let answer12 = gate.next(committed: position(5))
        #expect(answer12 == OwedAcknowledgement(.pubRec, 2))
        let answer13 = gate.next(committed: position(5))
        #expect(answer13 == nil)
        let answer14 = gate.next(committed: position(8))
        #expect(answer14 == OwedAcknowledgement(.pubAck, 3, .notAuthorized))
        #expect(gate.waitingCount == 0)
        let answer15 = gate.owes(OwedAcknowledgement(.pubAck, 4), until: .none, committed: position(8))
        #expect(answer15)
    }

    @Test func `messages that stand among the inbound publishes are not counted twice`() {
        var gate = AcknowledgementGate()
        _ = gate.owes(OwedAcknowledgement(.pubRec, 1), until: position(1), committed: .none)
        _ = gate.owes(OwedAcknowledgement(.pubAck, 2), until: position(2), committed: .none)
        #expect(gate.waitingPubAcks == 1)
        _ = gate.next(committed: position(1))
        #expect(gate.waitingPubAcks == 1)
        _ = gate.next(committed: position(2))
        #expect(gate.waitingPubAcks == 0)
    }
}
