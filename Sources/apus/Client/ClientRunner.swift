internal import ApusLoop
internal import ApusTransport
internal import ArgumentParser
internal import MQTTClient
internal import MQTTCodec

/// Drives a task over one connection after another, on one thread: connects, moves bytes between the connection and the
/// machine, keeps deadlines, and heeds signals.
struct ClientRunner<Task: ClientTask>: ~Copyable {
    private var plan: ClientPlan
    private var task: Task
    private var client: Client
    private let signals: SignalWaiter
    private var sent: PacketTrace
    private var received: PacketTrace
    /// Whether the broker has accepted a connection, ever and at present.
    private var wasConnected = false
    private var isConnected = false
    /// Whether the last connection failed as if the other side spoke something else.
    private var isMisunderstood = false

    init(_ plan: ClientPlan, _ task: Task) throws {
        ignoreBrokenPipe()
        self.plan = plan
        self.task = task
        client = Client(machine: MQTTClientMachine(configuration: plan.client), now: Self.now)
        // Signals stay blocked from here on, except while connecting, which has nothing to put in order.
        signals = try SignalWaiter()
        sent = PacketTrace(sender: .client, version: plan.client.connect.version)
        received = PacketTrace(sender: .server, version: plan.client.connect.version)
    }

    /// How a connection went.
    private enum Outcome {
        case ended(ClientEnding)
        /// Another attempt may help.
        case lost(String)
    }

    /// Runs to the end and throws the exit code, unless it is 0.
    mutating func run() throws {
        let ending = drive()
        plan.voice.progress(nil)
        if let words = ending.words { plan.voice.say(words) }
        if let words = ending.words, let hint = PortProbe.certificateHint(words, plan.tls) { plan.voice.say(hint) }
        if ending.code != 0, isMisunderstood, plan.voice.level != .quiet {
            plan.voice.say(PortProbe.notice)
            if let hint = PortProbe.hint(plan.endpoint, plan.tls) { plan.voice.say(hint) }
        }
        plan.voice.detail(task.summary)
        if ending.code != 0 { throw ExitCode(ending.code) }
    }

    private mutating func drive() -> ClientEnding {
        var backOff = BackOff()
        var generator = SystemRandomNumberGenerator()
        while true {
            let outcome: Outcome
            isConnected = false
            isMisunderstood = false
            do {
                outcome = try connectAndServe()
            } catch {
                outcome = .lost(error.description)
                isMisunderstood = PortProbe.isWorthwhile(error.description, plan.endpoint)
                // The machine keeps the session for the next connection.
                client.machine.connectionLost(into: &client.actions)
            }
            switch outcome {
            case .ended(let ending): return ending
            case .lost(let words):
                if let ending = endAfterLoss() { return ending }
                guard plan.reconnects else { return .connectionFailed(words) }
                if isConnected { backOff.reset() }
                let delay = backOff.delay(using: &generator)
                plan.voice.say("\(words); the next attempt comes in \(Self.seconds(delay)) s")
                if let ending = pause(delay) { return ending }
            }
        }
    }

    /// Hands the events of the loss to the task, which may be done after all.
    private mutating func endAfterLoss() -> ClientEnding? {
        client.now = Self.now
        client.actions.bytes = []
        let events = client.actions.events
        client.actions.events = []
        for event in events {
            switch event {
            case .published, .subscribed, .unsubscribed, .abandoned, .message: task.handle(event, &client)
            default: break
            }
        }
        return flush() ?? task.ending
    }

    // MARK: - One connection

    private mutating func connectAndServe() throws(ApusTransport.ClientError) -> Outcome {
        let (endpoint, tls, timeout) = (plan.endpoint, plan.tls, plan.timeout)
        let connection = try signals.paused { () throws(ApusTransport.ClientError) in
            try ClientConnection(endpoint, tls: tls, timeout: timeout)
        }
        client.now = Self.now
        client.actions = ClientActions()
        client.unsentBytes = 0
        sent = PacketTrace(sender: .client, version: sent.version)
        received = PacketTrace(sender: .server, version: sent.version)
        plan.scram?.begin()
        do {
            let resumes = wasConnected && plan.client.connect.version == .v5
            try client.machine.connect(cleanStart: resumes ? false : nil, now: client.now, into: &client.actions)
        } catch {
            return .ended(.refused("the connection cannot be asked for: \(error)"))
        }
        let hasSignals = connection.watch(signals.fileDescriptor)
        precondition(hasSignals, "Signals can always be waited for.")
        return try serve(connection)
    }

    private mutating func serve(_ connection: ClientConnection) throws(ApusTransport.ClientError) -> Outcome {
        var input = InputWatch()
        while true {
            let outcome = turn()
            // Before anything is acknowledged: what was printed is printed.
            if let ending = flush() { return leave(connection, ending) }
            switch outcome {
            case .ended(let ending): return leave(connection, ending)
            case .lost:
                try send(connection)
                connection.close(timeout: .milliseconds(500))
                return outcome ?? .lost("")
            case nil: try send(connection)
            }
            let isReading = task.wantsInput && isConnected && !client.isCongested
            input.set(isReading, on: connection)
            let result = try connection.receive(timeout: timeout(isReading && input.isAlwaysReady))
            client.now = Self.now
            client.unsentBytes = connection.unsentBytes
            switch result {
            case .bytes(let bytes):
                if plan.voice.isVerbose { received.describe(bytes).forEach(plan.voice.detail) }
                client.machine.received(bytes.span, now: client.now, into: &client.actions)
            case .closed: client.machine.connectionLost(into: &client.actions)
            case .timedOut, .woken, .inputReady, .sent: break
            }
            if let signal = signals.next(), signal != .reload || !SignalWaiter.isHangUpIgnored {
                return leave(connection, task.isComplete ? .success : .interrupted(signal))
            }
            if isReading { readInput() }
            client.machine.tick(now: client.now, into: &client.actions)
        }
    }

    /// Handles all that has happened and lets the task go on.
    private mutating func turn() -> Outcome? {
        while true {
            let events = client.actions.events
            client.actions.events = []
            for event in events {
                if let outcome = handle(event) { return outcome }
                if let ending = task.ending { return .ended(ending) }
            }
            guard client.actions.events.isEmpty else { continue }
            guard isConnected else { return nil }
            // Its own news, as of a message that went out with QoS 0, may allow it to go on.
            task.proceed(&client)
            if let ending = task.ending { return .ended(ending) }
            if client.actions.events.isEmpty { return nil }
        }
    }

    private mutating func handle(_ event: ClientEvent) -> Outcome? {
        switch event {
        case .connected(let packet): return connected(packet)
        case .refused(let packet):
            let words = "the broker refused the connection: \(packet.reasonCode.description(packet.reasonString))"
            let place = packet.serverReference.map { " (it names \($0))" } ?? ""
            return isConnectionWorthRetrying(packet.reasonCode) ? .lost(words) : .ended(.refused(words + place))
        case .disconnected(let packet):
            let place = packet.serverReference.map { " (it names \($0))" } ?? ""
            let words = "the broker ended the connection: \(packet.reasonCode.description(packet.reasonString))\(place)"
            let isTemporary = packet.reasonCode.isTemporary || packet.reasonCode == .success
            return isTemporary ? .lost(words) : .ended(.refused(words))
        case .protocolViolation(let code, let words):
            isMisunderstood = !isConnected
            return .ended(.refused("the broker broke the protocol: \(words), \(code.description)"))
        case .connectionLost(let loss):
            isMisunderstood = !isConnected
            return .lost("\(plan.endpoint): \(loss.words)")
        case .authentication(let packet): return authenticate(packet)
        case .message, .published, .subscribed, .unsubscribed, .abandoned:
            task.handle(event, &client)
            return nil
        }
    }

    private func isConnectionWorthRetrying(_ code: ReasonCode) -> Bool { plan.reconnects && code.isTemporary }

    private mutating func connected(_ packet: ConnAck) -> Outcome? {
        if plan.scram != nil {
            do {
                try plan.scram?.finish(packet.authenticationData)
            } catch {
                return .ended(.refused("the broker did not prove that it knows the password: \(error)"))
            }
        }
        if wasConnected { plan.voice.say("\(plan.endpoint): connected again") }
        wasConnected = true
        isConnected = true
        task.connected(packet, &client)
        return nil
    }

    private mutating func authenticate(_ packet: Auth) -> Outcome? {
        do {
            let answer = try plan.scram?.answer(packet.authenticationData ?? [])
            client.now = Self.now
            try client.machine.authenticate(data: answer, now: client.now, into: &client.actions)
            return nil
        } catch {
            return .ended(.refused("the authentication failed: \(error)"))
        }
    }

    // MARK: - Bytes

    private mutating func send(_ connection: ClientConnection) throws(ApusTransport.ClientError) {
        if !client.actions.bytes.isEmpty {
            if plan.voice.isVerbose { sent.describe(client.actions.bytes).forEach(plan.voice.detail) }
            try connection.send(client.actions.bytes)
            client.actions.bytes.removeAll(keepingCapacity: true)
        }
        client.unsentBytes = connection.unsentBytes
    }

    private mutating func flush() -> ClientEnding? {
        switch task.output.flush() {
        case .done: nil
        case .readerGone: .success
        case .failed(let words): .refused(words)
        }
    }

    private mutating func readInput() {
        do {
            let input = try StandardStream.readAvailable(StandardStream.input, limit: 1 << 16)
            if input != .nothing { task.receive(input, &client) }
        } catch {
            plan.voice.say("standard input: \(error.reason)")
            task.receive(.endOfStream, &client)
        }
    }

    /// Says goodbye and closes; what waits to be sent is sent before, within the time limit.
    private mutating func leave(_ connection: ClientConnection, _ ending: ClientEnding) -> Outcome {
        client.machine.disconnect(sessionExpiryInterval: plan.endsSession ? 0 : nil, into: &client.actions)
        do {
            try send(connection)
        } catch {
            // The connection is gone already; the task's own ending says what matters.
            return .ended(ending)
        }
        connection.close(timeout: ending.code == 0 ? plan.timeout : .seconds(2))
        return .ended(ending)
    }

    // MARK: - Time

    private static var now: Duration { .nanoseconds(Clock.monotonicNanoseconds()) }

    private static func seconds(_ duration: Duration) -> Double { (duration / .milliseconds(100)).rounded() / 10 }

    /// Until the next deadline, at least a millisecond: the connection looks for news only when it waits.
    private func timeout(_ isInputReady: Bool) -> Duration? {
        if isInputReady || isConnected && task.hasMore && !client.isCongested { return .milliseconds(1) }
        let deadlines = [client.machine.deadline, isConnected ? task.deadline : nil].compactMap(\.self)
        return deadlines.min().map { max($0 - client.now + .milliseconds(1), .milliseconds(1)) }
    }

    /// Waits between two connections, unless a signal ends it.
    private func pause(_ delay: Duration) -> ClientEnding? {
        do {
            let poller = try Poller()
            try poller.addLevelTriggered(signals.fileDescriptor, token: 0)
            let end = Self.now + delay
            while case let rest = end - Self.now, rest > .zero {
                _ = poller.wait(timeoutMilliseconds: Int64(rest / .milliseconds(1)) + 1)
                if let signal = signals.next(), signal != .reload || !SignalWaiter.isHangUpIgnored {
                    return task.isComplete ? .success : .interrupted(signal)
                }
            }
            return nil
        } catch {
            return .connectionFailed("\(error)")
        }
    }
}

/// Whether standard input ends the waits of a connection.
private struct InputWatch {
    private(set) var isAlwaysReady = false
    private var isWatching = false

    mutating func set(_ watches: Bool, on connection: ClientConnection) {
        guard watches != isWatching else { return }
        isWatching = watches
        if watches {
            // A plain file cannot be waited for: it is always ready.
            isAlwaysReady = !connection.watch(StandardStream.input)
        } else if !isAlwaysReady {
            connection.stopWatching(StandardStream.input)
        }
    }
}

extension ConnectionLoss {
    var words: String {
        switch self {
        case .transportClosed: "the connection was closed"
        case .noAnswerToConnect: "the broker did not answer in time"
        case .noAnswerToPing: "the broker does not answer any more"
        }
    }
}
