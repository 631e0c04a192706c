internal import ApusBroker
internal import ApusConfiguration
internal import ApusLocks
internal import ApusLoop
internal import ApusManagement
internal import ApusResources

/// The management side of a running service: what stands in the catalog at the start, and the API.
///
/// Order of use: `init`, then `start` when clients can connect, then `stop`.
final class Management: Sendable {
    private let tenancy: Tenancy
    private let broker: Broker
    private let configuration: Configuration
    private let endpoint: HTTPEndpoint
    /// For https.
    let tls: TLSContextBox?
    private let events: any EventSink
    /// The administrator's key of the first start, until somebody was told.
    private let firstKey: AccessKey?
    private let server = Guarded<ManagementServer?>(nil)
    private let upkeep = Guarded<Task<Void, Never>?>(nil)

    /// Opens the catalog's contents to the broker, after the resources file, if there is one, or the first start.
    init(
        _ configuration: Configuration,
        tls: TLSContext?,
        tenancy: Tenancy,
        broker: Broker,
        resources: String?,
        events: any EventSink,
    ) throws {
        self.tenancy = tenancy
        self.broker = broker
        self.configuration = configuration
        self.tls = tls.map { TLSContextBox($0) }
        self.events = events
        endpoint = try Self.endpoint(configuration)
        tenancy.watch(broker)
        if let resources {
            for line in try tenancy.apply(file: resources) {
                events.record(BrokerEvent(.notice, "resources.applied", [("file", resources), ("change", line)]))
            }
        }
        firstKey = try FirstStart.prepare(
            tenancy.manager,
            in: configuration.data.directory,
            hasResources: resources != nil,
        )
        for warning in configuration.warnings.map({ "\($0.key): \($0.reason)" }) + tenancy.loginWarnings(configuration)
        {
            events.record(BrokerEvent(.warning, "configuration.warning", [("explanation", warning)]))
        }
        if let told = tenancy.anonymousInstances(configuration) { events.record(told) }
    }

    private static func endpoint(_ configuration: Configuration) throws(CommandFailure) -> HTTPEndpoint {
        do {
            return try HTTPEndpoint(configuration.api.listen ?? "")
        } catch {
            throw CommandFailure("api.listen: \(error)")
        }
    }

    /// Finds out whether the API's port could be opened now, before anything is written; leaves nothing behind.
    static func examine(_ configuration: Configuration) throws(CommandFailure) {
        let endpoint = try endpoint(configuration)
        do {
            guard let address = try Socket.resolve(host: endpoint.host, port: endpoint.port).first else { return }
            _ = try Listener(address)
        } catch {
            throw cannotListen("the management API cannot listen on \(endpoint.host):\(endpoint.port): \(error)")
        }
    }

    /// - Parameter words: who cannot listen where, and why.
    private static func cannotListen(_ words: String) -> CommandFailure {
        let advice =
            words.lowercased().contains("in use")
            ? "; another process, or a listener of this one, has the port (`ss -ltp` names it): end it, or give the API "
                + "another with --api or api.listen" : ""
        return CommandFailure("api.listen: \(words)\(advice)")
    }

    /// Opens the API's port.
    ///
    /// - Parameter endpoints: URLs at which clients connect.
    /// - Returns: what to print.
    func start(_ endpoints: [String]) throws -> [String] {
        var settings = ManagementConfiguration(host: endpoint.host, port: Int(endpoint.port))
        settings.endpoints = endpoints
        settings.domains = ServiceDomains(configuration.api.domains)
        settings.tls = tls
        let server = ManagementServer(
            configuration: settings,
            manager: tenancy.manager,
            broker: broker,
            clock: { Tenancy.now() },
        )
        self.server.withLock { $0 = server }
        let upkeep = Task.detached { [tenancy] in await Self.forgetRevokedTokens(tenancy.manager) }
        self.upkeep.withLock { $0 = upkeep }
        let opening = Opening(try WakeUp())
        let events = self.events
        Task.detached {
            do {
                try await server.run { host, port in opening.answer(.success((host, port))) }
            } catch {
                // Of a port that was open, or of one that could not be opened.
                events.record(BrokerEvent(.error, "api.failed", [("explanation", "\(error)")]))
                opening.answer(.failure(Self.cannotListen("\(error)")))
            }
        }
        let (host, port) = try opening.wait()
        let api = "\(endpoint.isSecure ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        events.record(BrokerEvent(.notice, "api.started", [("endpoint", api)]))
        try FirstStart.writeLogin(firstKey, api: api, in: configuration.data.directory)
        let data = configuration.data.directory
        let greeting = firstKey.map {
            FirstStart.greeting($0, tenancy.manager.directory, api: api, endpoints: endpoints, data: data)
        }
        return ["api \(api)"] + (greeting ?? [])
    }

    func stop() {
        upkeep.withLock { $0 }?.cancel()
        server.withLock { $0 }?.stop()
    }

    /// Once a day: a revocation is worth nothing once its token has ended.
    private static func forgetRevokedTokens(_ manager: ResourceManager) async {
        while !Task.isCancelled {
            // What cannot be written now is forgotten tomorrow.
            _ = manager.change(by: .local, action: "ForgetRevokedTokens") {
                let (now, directory) = (manager.now, manager.directory)
                let ended = directory.instances.contains { instance in
                    directory.revocations(of: instance.number)
                        > directory.revocations(of: instance.number, endingAt: now)
                }
                return ChangeProposal(
                    ended ? [.forgetRevokedTokens(expiredBefore: now)] : [],
                    in: "",
                    "revocations of tokens that have ended",
                )
            }
            try? await Task.sleep(for: .seconds(86_400))
        }
    }
}

/// What became of a port that is opened elsewhere.
private final class Opening: Sendable {
    private let answer = Guarded<Result<(String, Int), CommandFailure>?>(nil)
    private let arrived: WakeUp

    init(_ arrived: consuming WakeUp) { self.arrived = arrived }

    /// Only the first answer counts.
    func answer(_ result: Result<(String, Int), CommandFailure>) {
        answer.withLock { $0 = $0 ?? result }
        arrived.signal()
    }

    func wait() throws -> (String, Int) {
        arrived.wait()
        guard let result = answer.withLock({ $0 }) else { throw CommandFailure("the management API did not start") }
        return try result.get()
    }
}
