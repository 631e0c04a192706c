import ApusSession
import MQTTCodec
import Testing

@Suite("Inbound publishes")
struct InboundPublishesTests {
    @Test(.spec("MQTT-4.3.3-10"))
    func `a duplicate is acknowledged again and not delivered again`() {
        var inbound = InboundPublishes()
        let answer1 = inbound.received(5, receiveMaximum: 10)
        #expect(answer1 == .deliver)
        let answer2 = inbound.received(5, receiveMaximum: 10)
        #expect(answer2 == .acknowledgeAgain)
        #expect(inbound.count == 1)
    }

    @Test(.spec("MQTT-4.3.3-12"))
    func `after PUBREL the identifier stands for a new message`() {
        var inbound = InboundPublishes()
        _ = inbound.received(5, receiveMaximum: 10)
        let answer3 = inbound.released(5)
        #expect(answer3)
        let answer4 = inbound.released(5)
        #expect(!answer4)
        let answer5 = inbound.received(5, receiveMaximum: 10)
        #expect(answer5 == .deliver)
    }

    @Test(.spec("MQTT-3.3.4-7"))
    func `one more than the receive maximum is refused, a duplicate is not`() {
        var inbound = InboundPublishes()
        for id in 1...3 as ClosedRange<PacketIdentifier> {
            let answer6 = inbound.received(id, receiveMaximum: 3)
            #expect(answer6 == .deliver)
        }
        let answer7 = inbound.received(4, receiveMaximum: 3)
        #expect(answer7 == .exceedsReceiveMaximum)
        let answer8 = inbound.received(2, receiveMaximum: 3)
        #expect(answer8 == .acknowledgeAgain)
        #expect(inbound.identifiers == [1, 2, 3])
        _ = inbound.released(2)
        let answer9 = inbound.received(4, receiveMaximum: 3)
        #expect(answer9 == .deliver)
    }

    @Test(.spec("MQTT-4.3.3-9"))
    func `a refused message frees its identifier`() {
        var inbound = InboundPublishes()
        _ = inbound.received(9, receiveMaximum: 1)
        inbound.refused(9)
        #expect(inbound.count == 0)
        let answer10 = inbound.received(9, receiveMaximum: 1)
        #expect(answer10 == .deliver)
    }

    @Test func `identifiers released out of order leave the others`() {
        var inbound = InboundPublishes()
        for id in [7, 3, 9] as [PacketIdentifier] { _ = inbound.received(id, receiveMaximum: 9) }
        let answer11 = inbound.released(3)
        #expect(answer11)
        #expect(inbound.identifiers == [7, 9])
    }
}
