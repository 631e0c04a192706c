internal import ApusBroker
internal import ApusConfiguration
internal import ApusLocks
internal import ApusLoop
internal import ApusMessage
internal import ApusResources
internal import ApusTransport

/// What the catalog says about TLS, made effective at its listeners: registered authorities of client certificates, and
/// certificates by server name.
///
/// Both count from the next handshake on; connections that stand are left to the rights (`Tenancy.watch`). Certificates
/// that the catalog names by id are files in the data directory: `certificates/<id>.pem`, the chain, and
/// `certificates/<id>.key`.
final class RegisteredTLS: Sendable {
    private typealias Named = (hostNames: [String], certificate: TLSServerCertificate)

    private struct State {
        var certificates: [InstanceNumber: [Named]] = [:]
    }

    private let authorities = TLSAuthorities()
    private let certificates: TLSServerCertificates
    private let domains: ServiceDomains
    private let folder: String
    private let events: any EventSink
    /// Held while files are read, so that of two readings the later one counts.
    private let state = Guarded(State())

    private static let folderName = "certificates"

    init(_ configuration: Configuration, events: any EventSink) {
        domains = ServiceDomains(configuration.api.domains)
        certificates = TLSServerCertificates(exceptions: Set(domains.all))
        folder = "\(configuration.data.directory)/\(Self.folderName)"
        self.events = events
    }

    // MARK: - Listeners

    /// The settings of a listener, with what is registered.
    func extended(_ settings: TLSServerConfiguration, isWebSocket: Bool) -> TLSServerConfiguration {
        var settings = settings
        settings.registeredAuthorities = authorities
        settings.registeredCertificates = certificates
        // A browser that is asked asks its user; there it must be wished for.
        if settings.clientCertificates == .none, !isWebSocket { settings.clientCertificates = .whileRegistered }
        return settings
    }

    /// Likewise for listeners by name.
    func extended(
        _ settings: [String: TLSServerConfiguration],
        of configuration: Configuration,
    ) -> [String: TLSServerConfiguration] {
        let webSockets = Set(configuration.listeners.filter(\.address.scheme.isWebSocket).map(\.name))
        var all: [String: TLSServerConfiguration] = [:]
        for (name, one) in settings { all[name] = extended(one, isWebSocket: webSockets.contains(name)) }
        return all
    }

    // MARK: - Catalog

    /// Takes what the catalog has, and then its changes, on the thread that makes them.
    ///
    /// Nobody may change the catalog meanwhile.
    func follow(_ manager: ResourceManager) {
        let directory = manager.directory
        for instance in directory.instances {
            for authority in directory.caCertificates(of: instance.number) { update(authority) }
        }
        readCertificates(manager)
        manager.observe { [self] changes in
            for change in changes { follow(change, directory) }
        }
    }

    private func follow(_ change: CatalogChange, _ directory: ResourceDirectory) {
        switch change {
        case .putCACertificate(let authority): update(authority)
        case .deleteCACertificate(let instance, let serialNumber): authorities.remove(Self.key(instance, serialNumber))
        case .putServerNames(let names): readCertificates(directory, of: [names.instance])
        case .deleteInstance(let instance):
            authorities.removeAll(of: instance.rawValue)
            readCertificates(directory, of: [instance])
        default: break
        }
    }

    private static func key(_ instance: InstanceNumber, _ serialNumber: String) -> TLSAuthorities.Key {
        TLSAuthorities.Key(owner: instance.rawValue, name: serialNumber)
    }

    private func update(_ authority: CACertificate) {
        let key = Self.key(authority.instance, authority.serialNumber)
        guard authority.isActive else { return authorities.remove(key) }
        do {
            try authorities.put(key, pem: authority.content)
        } catch {
            // A certificate that could not be read was not registered; this is for a catalog of other versions.
            let fields = [("ca_serial_number", authority.serialNumber), ("explanation", "\(error)")]
            events.record(BrokerEvent(.warning, "certificate.unusable", fields))
        }
    }

    /// Reads the certificates by server name again, as files and catalog are now.
    func readCertificates(_ manager: ResourceManager) {
        let directory = manager.directory
        readCertificates(directory, of: Set(directory.serverNames.map(\.instance)))
    }

    private func readCertificates(_ directory: ResourceDirectory, of instances: Set<InstanceNumber>) {
        state.withLock { state in
            for number in instances {
                let instance = directory.instance(number)
                let names = directory.serverNames(of: number)
                state.certificates[number] = instance.flatMap { instance in names.map { read($0, of: instance) } }
            }
            let sorted = state.certificates.sorted { $0.key < $1.key }
            certificates.replace(with: sorted.flatMap(\.value))
        }
    }

    private func read(_ names: ServerNameConfiguration, of instance: Instance) -> [Named] {
        let ownNames = domains.names(ofInstance: instance.id)
        var named: [Named] = []
        for entry in names.entries {
            let domain = entry.domain.lowercased()
            // Of a catalog of other domains: the API refuses it.
            guard !domains.reserves(domain, fromInstance: instance.id) else {
                tell(instance, domain, entry.certificateID, "the name is one of the service's own")
                continue
            }
            if let certificate = read(entry.certificateID, entry.password, for: domain, of: instance) {
                named.append(([domain], certificate))
            }
        }
        // The action has no password for this one.
        let password = names.entries.first { $0.certificateID == names.defaultCertificate }?.password ?? ""
        let shown = ownNames.joined(separator: " ")
        if let certificate = read(names.defaultCertificate, password, for: shown, of: instance) {
            named.append((ownNames, certificate))
        }
        return named
    }

    private func read(
        _ id: String,
        _ password: String,
        for names: String,
        of instance: Instance,
    ) -> TLSServerCertificate? {
        guard Self.isFileName(id) else {
            tell(instance, names, id, "the id of a certificate here has letters, digits, `-`, `_` and `.` only")
            return nil
        }
        let identity = TLSIdentity(certificateFile: "\(folder)/\(id).pem", keyFile: "\(folder)/\(id).key")
        do {
            return try TLSServerCertificate(identity, password: password)
        } catch {
            tell(instance, names, id, error.description)
            return nil
        }
    }

    /// Whether a name of letters is a file in the folder and nowhere else.
    private static func isFileName(_ id: String) -> Bool {
        let allowed = id.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        return allowed && (1...128).contains(id.utf8.count) && !id.hasPrefix(".")
    }

    private func tell(_ instance: Instance, _ names: String, _ id: String, _ explanation: String) {
        let fields = [
            ("instance", instance.id), ("server_name", names), ("certificate", id), ("explanation", explanation),
            ("effect", "the listener's own certificate is shown"),
        ]
        events.record(BrokerEvent(.warning, "certificate.unusable", fields))
    }
}

extension ListenerConfiguration {
    /// With what is registered, where the listener speaks TLS.
    func extended(by registered: RegisteredTLS?) -> ListenerConfiguration {
        var listener = self
        if let registered {
            listener.tls = listener.tls.map { registered.extended($0, isWebSocket: kind.isWebSocket) }
        }
        return listener
    }
}
