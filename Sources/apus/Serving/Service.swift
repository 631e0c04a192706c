internal import ApusBroker
internal import ApusConfiguration
internal import ApusCredentials
internal import ApusLocks
internal import ApusLoop
internal import ApusMessage
internal import ApusTransport

/// The parts of a running broker, put together from a configuration: the one place where ports meet implementations.
final class Service: Sendable {
    private let log: EventLog
    private let broker: Broker
    private let transport: TransportServer
    private let storage: Storage
    private let passwords: PasswordAuthenticator?
    private let accessControl: ACLAuthorizer?
    /// With the management API: the catalog and what comes of it.
    private let tenancy: Tenancy?
    private let management: Management?
    /// With the management API: what the catalog says about TLS.
    private let registeredTLS: RegisteredTLS?
    /// What the process was started with: settings that need a restart are compared with it.
    private let started: Configuration
    private let current: Guarded<Configuration>
    private let certificates: Guarded<FileDigests>
    private let isDevelopment: Bool
    /// All shards have ended; made at the start, since there may be no descriptor left at the end.
    private let ended: WakeUp

    /// - Parameters:
    ///   - resources: the resources file to apply before the first connection.
    ///   - log: takes the events; whoever made it finishes it.
    init(
        _ configuration: Configuration,
        isDevelopment: Bool,
        openFileLimit: Int,
        resources: String?,
        log: EventLog,
    ) throws {
        self.isDevelopment = isDevelopment
        self.log = log
        ended = try WakeUp()
        let configuration = isDevelopment ? try DevelopmentCertificate.fill(into: configuration, log) : configuration
        let isService = configuration.api.listen != nil
        let registeredTLS = isService ? RegisteredTLS(configuration, events: log) : nil
        self.registeredTLS = registeredTLS
        let shardCount = configuration.shards == 0 ? Machine.processorCount() : configuration.shards
        var network = TransportConfiguration(
            listeners: configuration.listeners.map {
                ListenerConfiguration($0, configuration.effectiveTLS(of: $0)).extended(by: registeredTLS)
            },
            shardCount: shardCount,
        )
        network.handshakeTimeout = .seconds(configuration.limits.connectSeconds)
        // Whoever cannot listen leaves no data directory behind.
        try TransportServer.examine(network)
        if isService { try Management.examine(configuration) }
        let apiTLS = try Management.tls(configuration)
        let seed = try Machine.randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) }
        var settings = BrokerConfiguration(shardCount: shardCount, seed: seed)
        settings.limits = Limits(configuration.limits)
        settings.statisticsSeconds = configuration.statistics.intervalSeconds
        settings.version = "apus \(ApusVersion.text)"
        do {
            passwords =
                isDevelopment
                ? nil
                : try PasswordAuthenticator(options: .init(configuration)) { warning in
                    log.record(BrokerEvent(.warning, "configuration.warning", [("explanation", warning)]))
                }
            accessControl = try isDevelopment ? nil : configuration.authorization.aclFile.map(ACLAuthorizer.init(path:))
        } catch {
            throw CommandFailure(error.description)
        }
        tenancy =
            isService
            ? try Tenancy(configuration, passwords: passwords, accessControl: accessControl, events: log) : nil
        if let tenancy { registeredTLS?.follow(tenancy.manager) }
        if isService { settings.traceEvents = configuration.trace.events }
        let development: any Authenticator = DevelopmentAuthenticator()
        broker = Broker(
            configuration: settings,
            authenticator: tenancy?.authenticator ?? passwords ?? development,
            authorizer: tenancy?.authorizer ?? accessControl,
            events: log,
            instances: tenancy?.resolver,
        )
        if let tenancy { broker.connectMetrics(LoginFigures(counts: tenancy.authenticator.counts)) }
        // Before the catalog gives new numbers, which the log must not know.
        let storage = try Storage(configuration, broker: broker, known: tenancy?.known, events: log)
        self.storage = storage
        management = try tenancy.map { [broker] in
            try Management(configuration, tls: apiTLS, tenancy: $0, broker: broker, resources: resources, events: log)
        }
        broker.serverReference = configuration.shutdown.serverReference
        let broker = self.broker
        transport = TransportServer(network, broker: broker) { index, now in
            var shard = Shard(index: index, broker: broker, store: storage.makeStore(shard: index), now: now)
            storage.restore(&shard, index: index)
            return shard
        }
        started = configuration
        current = Guarded(configuration)
        var digests = FileDigests()
        _ = digests.refresh(configuration.certificateFiles)
        certificates = Guarded(digests)
        log.record(
            BrokerEvent(
                .notice,
                "service.starting",
                [("version", ApusVersion.text), ("shards", "\(shardCount)"), ("open_file_limit", "\(openFileLimit)")],
            ),
        )
    }

    func start() throws -> [TransportServer.Endpoint] {
        do {
            return try transport.start()
        } catch {
            storage.letGo()
            throw error
        }
    }

    /// Starts the management API, when there is one.
    ///
    /// - Parameter endpoints: where clients connect, for the API to tell.
    /// - Returns: what to print of it.
    func startManagement(_ endpoints: [TransportServer.Endpoint]) throws -> [String] {
        try management?.start(endpoints.map(\.url)) ?? []
    }

    /// Stops accepting, tells clients, sends what is queued, and returns when all threads have ended.
    ///
    /// - Parameter isUrged: asked again and again meanwhile; from its first yes on nobody is waited for.
    /// - Returns: whether all threads have ended.
    func stop(isUrged: () -> Bool) -> Bool {
        management?.stop()
        let grace = current.withLock { $0.shutdown.graceSeconds }
        log.record(BrokerEvent(.notice, "service.stopping", [("grace_seconds", "\(grace)")]))
        transport.shutdown(grace: .seconds(grace))
        do {
            _ = try NativeThread(name: "apus-stop") { [transport, ended] in
                transport.join()
                ended.signal()
            }
        } catch {
            // Without a thread nobody can look for a second signal; the grace still holds.
            transport.join()
            ended.signal()
        }
        var hasEnded = false
        while !hasEnded, !isUrged() { hasEnded = ended.wait(milliseconds: Self.pollMilliseconds) }
        if !hasEnded {
            log.record(BrokerEvent(.notice, "service.stopping_at_once", [("reason", "a second signal")]))
            transport.shutdown(grace: .zero)
            hasEnded = ended.wait(milliseconds: Self.urgedMilliseconds)
        }
        if hasEnded, !storage.close() {
            let fields = [("effect", "what was not acknowledged may be lost")]
            log.record(BrokerEvent(.error, "log.incomplete", fields))
        }
        log.record(BrokerEvent(hasEnded ? .notice : .error, hasEnded ? "service.stopped" : "service.stuck", []))
        return hasEnded
    }

    /// How soon a second signal counts while connections drain.
    private static let pollMilliseconds = 50
    /// What a shard may take to see that nothing is waited for any more.
    private static let urgedMilliseconds = 1000

    // MARK: - Reload

    /// Makes effective what can change while running, and says what was read again, what changed, and what cannot change.
    ///
    /// - Parameter file: where the configuration comes from, for the log.
    func reload(_ new: Configuration, from file: String?) {
        let old = current.withLock { $0 }
        var report = ReloadReport(file)
        var new = new
        do {
            if isDevelopment { new = try DevelopmentCertificate.fill(into: new, log) }
        } catch {
            report.problems.append(error.description)
        }
        report.changed = old.changes(to: new).live
        report.needRestart = started.changes(to: new).needRestart
        // Each part on its own: a bad file must not keep another one's changes, such as a right taken away, from counting.
        reloadUsers(&report)
        reloadRights(&report)
        do {
            let settings = new.tlsByListener
            try transport.reloadTLS(registeredTLS?.extended(settings, of: new) ?? settings)
            if let tenancy { registeredTLS?.readCertificates(tenancy.manager) }
            report.certificates(certificates.withLock { $0.refresh(new.certificateFiles) })
        } catch {
            report.problems.append("certificates unchanged: \(error.description)")
            report.changed.removeAll(where: Configuration.isTLSKey)
            new.keepTLS(of: old)
        }
        if let tenancy, !tenancy.reloadLogins(new, &report) { new.keepLogins(of: old) }
        if let management, !management.reloadTLS(new, &report) {
            (new.api.certificate, new.api.key) = (old.api.certificate, old.api.key)
        }
        log.setLevel(EventLevel(new.logging.level))
        var limits = Limits(new.limits)
        // The handshakes of the transport have the same bound and keep it until a restart.
        limits.connectSeconds = started.limits.connectSeconds
        // A pause that began under another bound would not be seen to end.
        limits.shardBacklogBytes = started.limits.shardBacklogBytes
        broker.apply(limits)
        broker.serverReference = new.shutdown.serverReference
        current.withLock { $0 = new }
        log.record(report.event)
    }

    private func reloadUsers(_ report: inout ReloadReport) {
        guard let passwords, let path = started.authentication.passwordFile else { return }
        do {
            let (changes, warnings) = try passwords.reload()
            report.reread.append(path)
            report.users = changes.description
            report.problems += warnings
        } catch {
            report.problems.append("users unchanged: \(error.description)")
        }
    }

    private func reloadRights(_ report: inout ReloadReport) {
        guard let accessControl, let path = started.authorization.aclFile else { return }
        do {
            report.rights = try accessControl.reload() ? "changed" : "unchanged"
            report.reread.append(path)
            for instance in broker.liveInstances { broker.postToAll(.rightsChanged(instance.number)) }
        } catch {
            report.problems.append("rights unchanged: \(error.description)")
        }
    }

    func reloadFailed(_ explanation: String) {
        log.record(
            BrokerEvent(
                .error,
                "configuration.rejected",
                [("explanation", explanation), ("effect", "nothing changed")]
            ),
        )
    }
}
