import ApusMessage
import ApusSession
import MQTTCodec
import Testing

/// The send window written down as plainly as possible: a list of messages with their state.
private final class NaiveWindow {
    enum State { case awaitingAcknowledgement, awaitingReceived, awaitingCompletion }

    struct Entry {
        let id: PacketIdentifier
        let name: String
        var state: State
        var isSent: Bool
    }

    var entries: [Entry] = []
    var window: Int
    var nextID: PacketIdentifier = 1

    init(window: Int) { self.window = window }

    var outstanding: Int { entries.count { $0.isSent } }
    var hasRoom: Bool { outstanding < window && entries.allSatisfy(\.isSent) }

    func sent(_ qos: QoS, _ name: String) -> PacketIdentifier {
        defer { nextID = nextID == .max ? 1 : nextID + 1 }
        let state: State = qos == .atLeastOnce ? .awaitingAcknowledgement : .awaitingReceived
        entries.append(Entry(id: nextID, name: name, state: state, isSent: true))
        return nextID
    }

    func connectionStarted(window: Int) {
        self.window = window
        for index in entries.indices { entries[index].isSent = false }
    }

    func nextRepetition() -> String? {
        guard outstanding < window, let index = entries.firstIndex(where: { !$0.isSent }) else { return nil }
        entries[index].isSent = true
        let entry = entries[index]
        return entry.state == .awaitingCompletion ? "release \(entry.id)" : "publish \(entry.id) \(entry.name)"
    }

    private func finish(_ index: Int) -> String { "finished \(entries.remove(at: index).name)" }

    func pubAck(_ id: PacketIdentifier) -> String {
        guard let index = entries.firstIndex(where: { $0.id == id && $0.isSent }) else { return "unknown" }
        return entries[index].state == .awaitingAcknowledgement ? finish(index) : "wrongPacket"
    }

    func pubRec(_ id: PacketIdentifier, refused: Bool) -> String {
        guard let index = entries.firstIndex(where: { $0.id == id && $0.isSent }) else { return "unknown" }
        switch entries[index].state {
        case .awaitingAcknowledgement: return "wrongPacket"
        case .awaitingCompletion: return "release -"
        case .awaitingReceived where refused: return finish(index)
        case .awaitingReceived:
            entries[index].state = .awaitingCompletion
            return "release \(entries[index].name)"
        }
    }

    func pubComp(_ id: PacketIdentifier) -> String {
        guard let index = entries.firstIndex(where: { $0.id == id && $0.isSent }) else { return "unknown" }
        guard entries[index].state == .awaitingCompletion else { return "wrongPacket" }
        // Since PUBREC the message is its receiver's.
        entries.remove(at: index)
        return "finished -"
    }
}

@Suite("Outbound publishes against a naive model")
struct OutboundModelTests {
    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func `random conversations give the same answers`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let size = Int.random(in: 1...12, using: &random)
        let window = WindowTranscript(window: UInt16(size))
        let model = NaiveWindow(window: size)
        // Close to the wrap of the identifiers, so that every run crosses it.
        for _ in 0..<65_400 {
            _ = window.receivedPubAck(window.sent(.atLeastOnce, keeping: nil))
        }
        model.nextID = 65_401
        for step in 0..<800 {
            check(window, model, step, &random)
            guard window.outstandingCount == model.outstanding, window.hasRoom == model.hasRoom,
                window.underWayCount == model.entries.count, window.underWay.count == model.entries.count
            else {
                Issue.record("seed \(seed), step \(step): room or count differ")
                return
            }
        }
        #expect(window.unfinished == model.entries.filter { $0.state != .awaitingCompletion }.map(\.name))
    }

    private func check(
        _ window: WindowTranscript,
        _ model: NaiveWindow,
        _ step: Int,
        _ random: inout SeededGenerator,
    ) {
        // Mostly identifiers that are under way and were sent on this connection, now and then any other.
        let known = model.entries.filter(\.isSent).randomElement(using: &random)?.id
        let isUnsent = { (id: PacketIdentifier) in model.entries.contains { $0.id == id && !$0.isSent } }
        var id = Int.random(in: 0..<10, using: &random) > 0 ? known ?? 7 : .random(in: 0 ... .max, using: &random)
        if isUnsent(id) { id = 0 }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<35 where model.hasRoom:
            let qos: QoS = Bool.random(using: &random) ? .atLeastOnce : .exactlyOnce
            #expect(window.sent(qos, keeping: .named("m\(step)")) == model.sent(qos, "m\(step)"))
        case 0..<55:
            #expect(window.receivedPubAck(id) == model.pubAck(id))
        case 55..<72:
            let refused = Int.random(in: 0..<8, using: &random) == 0
            #expect(window.receivedPubRec(id, refused: refused) == model.pubRec(id, refused: refused))
        case 72..<85:
            #expect(window.receivedPubComp(id) == model.pubComp(id))
        case 85..<97:
            #expect(window.nextRepetition() == model.nextRepetition())
        default:
            let size = Int.random(in: 1...12, using: &random)
            window.connectionStarted(window: UInt16(size))
            model.connectionStarted(window: size)
        }
    }
}
