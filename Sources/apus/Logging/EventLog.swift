internal import ApusBroker
internal import ApusLoop
internal import FoundationEssentials
internal import Synchronization

/// Takes the broker's events and writes them as lines to standard error, on a thread of its own.
///
/// A shard that logs only puts the event into a bounded queue. When the reader of the log is too slow, events are left
/// out, and a line says how many.
final class EventLog: EventSink {
    private struct Entry: Sendable {
        let event: BrokerEvent
        let time: Date
    }

    private let level: Atomic<UInt8>
    private let format: LogFormat
    private let mailbox: Mailbox<Entry>
    private let wakeUp: WakeUp
    private let waiting = Atomic<Int>(0)
    private let left = Atomic<Int>(0)
    private let isEnding = Atomic<Bool>(false)
    private let ended: WakeUp

    /// Lines that may wait for the writer.
    private static let capacity = 20_000

    init(level: EventLevel, format: LogFormat) throws(SystemError) {
        self.level = Atomic(level.rawValue)
        self.format = format
        wakeUp = try WakeUp()
        mailbox = Mailbox(wakeUp: wakeUp)
        ended = try WakeUp()
        _ = try NativeThread(name: "apus-log") { [self] in
            write()
            ended.signal()
        }
    }

    func setLevel(_ new: EventLevel) { level.store(new.rawValue, ordering: .relaxed) }

    func record(_ event: BrokerEvent) {
        guard event.level.rawValue >= level.load(ordering: .relaxed) else { return }
        guard waiting.load(ordering: .relaxed) < Self.capacity else {
            left.add(1, ordering: .relaxed)
            return
        }
        waiting.add(1, ordering: .relaxed)
        mailbox.post(Entry(event: event, time: Date()))
    }

    /// Writes what waits and ends the thread; what is recorded later is lost.
    ///
    /// A reader of the log that has stopped reading, such as a pipe that nobody empties, must not keep the process alive:
    /// what it has not taken by then is lost.
    func finish(withinMilliseconds limit: Int = 2000) {
        isEnding.store(true, ordering: .releasing)
        wakeUp.signal()
        _ = ended.wait(milliseconds: limit)
    }

    private func write() {
        while true {
            wakeUp.wait()
            // Read before the queue is emptied: what was recorded before the end is written.
            let ends = isEnding.load(ordering: .acquiring)
            let entries = mailbox.drain()
            waiting.subtract(entries.count, ordering: .relaxed)
            var text = entries.map { format.line($0.event, at: $0.time) }.joined()
            let lost = left.exchange(0, ordering: .relaxed)
            if lost > 0 {
                let event = BrokerEvent(.warning, "log.overflow", [("events_left_out", "\(lost)")])
                text += format.line(event, at: Date())
            }
            if !text.isEmpty { StandardError.write(text) }
            if ends { return }
        }
    }
}
