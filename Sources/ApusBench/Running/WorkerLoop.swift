internal import ApusLoop
internal import ApusMemory
internal import MQTTCodec

/// The loop of one thread of a run: waits for its sockets, reads them, and lets its worker do the rest.
///
/// Apart from the worker because what was read is borrowed from the one buffer while the worker takes it.
struct WorkerLoop: ~Copyable {
    private var worker: Worker
    private var input: ReadBuffer

    init(_ worker: consuming Worker) {
        // The largest packet and a good piece of the next.
        input = ReadBuffer(capacity: 256 * 1024 + 2 * worker.plan.payloadBytes)
        self.worker = worker
    }

    mutating func run() {
        TimerSlack.set(nanoseconds: 1000)
        while !worker.isEnded {
            worker.work()
            let count = worker.wait()
            for position in 0..<count { handle(worker.event(position)) }
            takeUnread()
        }
    }

    private mutating func handle(_ event: Poller.Event) {
        guard let index = worker.client(of: event.token) else { return }
        switch worker.clients[index].phase {
        case .dialling: worker.dialled(index)
        case .tlsHandshake: worker.shakeHands(index)
        case .upgrade, .awaitingConnAck, .awaitingSubAck, .ready, .leaving: break
        }
        guard worker.client(of: event.token) != nil, worker.clients[index].phase > .tlsHandshake else { return }
        // Behind a handshake bytes may have come that no edge will tell of.
        if event.isReadable || event.isHangUp { read(index, toTheEnd: event.isHangUp) }
        if event.isWritable, worker.client(of: event.token) != nil { worker.writable(index) }
    }

    /// Goes on with those that had more to read than their turn.
    private mutating func takeUnread() {
        for token in worker.takeUnread() {
            guard let index = worker.client(of: token) else { continue }
            read(index, toTheEnd: false)
        }
    }

    /// Reads what is there, at most a turn's worth.
    private mutating func read(_ index: Int, toTheEnd: Bool) {
        let token = worker.token(index)
        for _ in 0..<16 {
            let kept = worker.fill(&input, index)
            switch worker.receive(index, &input, keeping: kept) {
            case .bytes(_, let more):
                worker.now = Clock.monotonicNanoseconds()
                take(index, keeping: kept)
                guard worker.client(of: token) != nil else { return }
                if !more, !toTheEnd { return }
            case .wouldBlock:
                return
            case .endOfStream:
                return worker.ended(index, nil)
            case .failed(let failure):
                return worker.ended(index, failure)
            }
        }
        worker.readLater(token)
    }

    private mutating func take(_ index: Int, keeping kept: Int) {
        guard worker.clients[index].isFramed else {
            return Self.take(input, input.count, index, &worker)
        }
        var start = kept
        if worker.clients[index].phase == .upgrade {
            let rest = Self.upgrade(input, index, &worker)
            guard let rest, rest > 0, rest < input.count else { return }
            // MQTT that came in one piece with the answer.
            start = rest
        }
        let token = worker.token(index)
        guard let count = worker.unframe(index, &input, from: start, to: min(start, kept)) else { return }
        Self.take(input, count, index, &worker)
        if worker.client(of: token) != nil { worker.takeFarewell(index) }
    }

    /// Gives each packet in the first `count` bytes to the worker, and the rest to the connection to keep.
    private static func take(_ input: borrowing ReadBuffer, _ count: Int, _ index: Int, _ worker: inout Worker) {
        let bytes = input.bytes.extracting(first: count)
        let token = worker.token(index)
        var at = 0
        do {
            while let frame = try FrameDecoder.next(bytes, at: at, maximumPacketSize: worker.largestPacket) {
                try worker.take(bytes, frame, index)
                guard worker.client(of: token) != nil else { return }
                at = frame.end
            }
        } catch {
            return worker.lose(index, .protocolViolation(error.description))
        }
        worker.keep(bytes, from: at, index)
    }

    private static func upgrade(_ input: borrowing ReadBuffer, _ index: Int, _ worker: inout Worker) -> Int? {
        worker.upgraded(input.bytes, index)
    }
}
