package import ApusBroker
internal import ApusLocks
package import ApusLoop
internal import ApusMemory
package import ApusMessage

/// The sockets and threads of a broker.
///
/// Made once, started once, stopped once; every method may be called from any thread.
package final class TransportServer: Sendable {
    /// A listener that stands.
    package struct Endpoint: Sendable, Equatable {
        package let listener: String
        /// The URL with the port that the kernel chose, such as `mqtt://127.0.0.1:1883`.
        package let url: String
        /// 0 for a unix socket.
        package let port: UInt16
    }

    private struct Running {
        var gates: [ListenerGate] = []
        var mailboxes: [Mailbox<Letter>] = []
        var threads: [Parcel<NativeThread>] = []
    }

    private let configuration: TransportConfiguration
    private let broker: Broker
    private let makeShard: @Sendable (Int, Timestamp) -> Shard
    private let running = Guarded(Running())

    /// - Parameter makeShard: makes the shard with this index; called on the thread that it will run on.
    package init(
        _ configuration: TransportConfiguration,
        broker: Broker,
        makeShard: @escaping @Sendable (_ index: Int, _ now: Timestamp) -> Shard,
    ) {
        precondition(configuration.shardCount == broker.configuration.shardCount, "One loop for each shard.")
        self.configuration = configuration
        self.broker = broker
        self.makeShard = makeShard
    }

    // MARK: - Start

    /// Fails as `start` would when a port is taken or a certificate is bad, before anything else is begun.
    package static func examine(_ configuration: TransportConfiguration) throws(TransportError) {
        for listener in configuration.listeners { try ListenerBinder(listener).examine() }
    }

    /// Binds all listeners, then starts the threads; when one listener fails nothing has started.
    package func start() throws(TransportError) -> [Endpoint] {
        var gates: [ListenerGate] = []
        var endpoints: [Endpoint] = []
        let seeds = try makeSeeds(Clock())
        for (index, listener) in configuration.listeners.enumerated() {
            let bound = try ListenerBinder(listener).bind(into: seeds, index: index)
            gates.append(bound)
            let port: UInt16 = if case .internet(_, let port) = bound.configuration.address { port } else { 0 }
            endpoints.append(Endpoint(listener: listener.name, url: bound.configuration.endpoint, port: port))
        }
        let seats = seeds.map { _ in LoopSeat() }
        let environment = LoopEnvironment(
            broker: broker,
            configuration: configuration,
            makeShard: makeShard,
            gates: gates,
            wakeUps: seeds.map(\.wakeUp),
            mailboxes: seeds.map { Mailbox(wakeUp: $0.wakeUp) },
            help: { loop, mail in seats[loop].help(mail) },
        )
        let mailboxes = environment.mailboxes
        broker.connectMail { shard, mail in mailboxes[shard].post(.mail(mail)) }
        running.withLock {
            $0.gates = gates
            $0.mailboxes = mailboxes
        }
        for endpoint in endpoints {
            let fields = [("listener", endpoint.listener), ("endpoint", endpoint.url)]
            broker.events.record(BrokerEvent(.notice, "listener.started", fields))
        }
        for (index, seed) in seeds.enumerated() { try startThread(index, seed, seats[index], environment) }
        return endpoints
    }

    private func makeSeeds(_ clock: Clock) throws(TransportError) -> [SeedBox] {
        var seeds: [SeedBox] = []
        do {
            for _ in 0..<configuration.shardCount { seeds.append(try SeedBox(clock)) }
        } catch {
            throw TransportError(error.description, advice: "raise the limit of open files (ulimit -n)")
        }
        return seeds
    }

    private func startThread(
        _ index: Int,
        _ seed: SeedBox,
        _ seat: LoopSeat,
        _ environment: LoopEnvironment,
    ) throws(TransportError) {
        do {
            let thread = try NativeThread(name: "apus-shard-\(index)") {
                guard let seed = seed.take() else { return }
                seat.serve(index: index, seed, environment)
            }
            let parcel = Parcel(thread)
            running.withLock { $0.threads.append(parcel) }
        } catch {
            shutdown(grace: .zero)
            throw TransportError(error.description, advice: "raise the limit of threads (TasksMax, ulimit -u)")
        }
    }

    // MARK: - While it runs

    /// Reads certificates and keys again, for connections that begin from now on; those that stand stay.
    ///
    /// - Parameter settings: New settings by listener name; a listener that is not named reads the files again that it
    ///   has, and a name that no TLS listener has changes nothing.
    /// - Throws: when one of the files cannot be used; then all listeners keep what they have.
    package func reloadTLS(_ settings: [String: TLSServerConfiguration] = [:]) throws(TransportError) {
        let gates = running.withLock { $0.gates }
        var replacements: [(ListenerGate, TLSContext, TLSServerConfiguration)] = []
        for gate in gates where gate.context != nil {
            var listener = gate.configuration
            listener.tls = settings[listener.name] ?? gate.tlsSettings
            guard let tls = listener.tls, let context = try ListenerBinder(listener).makeContext() else { continue }
            replacements.append((gate, context, tls))
        }
        for (gate, context, tls) in replacements { gate.replaceContext(with: context, madeFrom: tls) }
    }

    // MARK: - Stop

    /// Stops accepting, tells clients, sends what is queued; what is left after `grace` is cut off.
    ///
    /// Returns at once; `join()` waits. A second call may shorten the time.
    package func shutdown(grace: Duration) {
        let mailboxes = running.withLock { $0.mailboxes }
        for mailbox in mailboxes { mailbox.post(.shutdown(graceMilliseconds: grace.milliseconds)) }
    }

    /// Waits for the end of all threads after `shutdown`.
    package func join() {
        let threads = running.withLock { running in
            let threads = running.threads
            running.threads = []
            return threads
        }
        for thread in threads { thread.take()?.join() }
    }
}

/// What one loop starts with, before it has a thread.
final class SeedBox: Sendable {
    let wakeUp: WakeUp
    private let seed: Guarded<LoopSeed?>

    init(_ clock: Clock) throws(SystemError) {
        wakeUp = try WakeUp()
        seed = Guarded(LoopSeed(network: try EpollNetwork(clock: clock, wakeUp: wakeUp)))
    }

    func take() -> LoopSeed? { seed.withLock { $0.take() } }

    /// Gives the loop a listener.
    func add(_ socket: consuming sending Listener, _ gate: ListenerGate) throws(SystemError) {
        var waiting: Listener? = socket
        try seed.withLock { (seed) throws(SystemError) in
            guard let listener = waiting.take() else { return }
            try seed?.network.listen(listener)
            seed?.gates.append(gate)
        }
    }
}

/// What a loop starts with: all that can fail was made before its thread.
struct LoopSeed: ~Copyable, Sendable {
    var network: EpollNetwork
    /// What the network's listeners are for.
    var gates: [ListenerGate] = []
}
