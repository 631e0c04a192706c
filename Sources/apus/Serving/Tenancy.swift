internal import ApusBroker
internal import ApusCatalog
internal import ApusConfiguration
internal import ApusCredentials
internal import ApusLoop
internal import ApusMessage
internal import ApusResources
internal import FoundationEssentials

/// The catalog and what the broker knows from it: the message service's part of a running Apus.
///
/// Order of use: `init` opens the catalog; `apply`; `watch` once there is a broker.
final class Tenancy: Sendable {
    let manager: ResourceManager
    let resolver: ServiceInstanceResolver
    let authenticator: ServiceAuthenticator
    let authorizer: ServiceAuthorizer
    /// As the catalog was when it was opened, before anything was changed.
    let known: KnownInstances
    private let directory: ResourceDirectory

    static let fileName = "catalog.sqlite"

    init(
        _ configuration: Configuration,
        passwords: PasswordAuthenticator?,
        accessControl: ACLAuthorizer?,
        events: any EventSink,
    ) throws {
        // Whoever cannot log people in leaves no data directory behind.
        let modes = try ConfiguredModes(configuration)
        let folder: PrivateFolder
        do {
            folder = try PrivateFolder(creating: configuration.data.directory)
        } catch {
            throw CommandFailure(error.description)
        }
        do {
            let catalog = try SQLiteCatalog(path: "\(folder.path)/\(Self.fileName)")
            manager = try ResourceManager(catalog: catalog) { Self.now() }
            known = KnownInstances(
                numbers: Set(manager.directory.instances.map(\.number)),
                last: try catalog.lastInstanceNumber(),
            )
        } catch {
            throw CommandFailure("\(error)")
        }
        directory = manager.directory
        var options = ServiceAuthenticator.Options()
        resolver = ServiceInstanceResolver(
            directory: directory,
            domains: configuration.api.domains.split(separator: " ").map(String.init),
            listenerInstances: configuration.instancesByListener,
            counts: options.counts,
        )
        options.passwords = passwords
        options.modes = modes
        options.listenersWithoutAnonymous = configuration.listenersWithoutAnonymous
        options.anonymousOnLoopback = configuration.authentication.anonymous == .loopback
        options.userNameFromCertificate = configuration.authentication.userNameFromCertificate
        options.addressFailures = FailurePolicy(freeFailures: configuration.authentication.failuresPerAddress)
        let manager = self.manager
        options.newDeviceCertificate = { certificate in
            // Of a shard's thread, which must not wait for the disk.
            Task.detached {
                let instance = manager.directory.instance(certificate.instance)?.id ?? ""
                do {
                    try manager.change(by: .local, action: "RegisterDeviceCertificate") {
                        let known = manager.directory.deviceCertificate(
                            certificate.instance,
                            caSerialNumber: certificate.caSerialNumber,
                            serialNumber: certificate.serialNumber,
                        )
                        return ChangeProposal(
                            known == nil ? [.putDeviceCertificate(certificate)] : [],
                            in: instance,
                            "device certificate \(certificate.serialNumber) of CA \(certificate.caSerialNumber)",
                        )
                    }.get()
                } catch {
                    // The next CONNECT with this certificate tries again.
                    events.record(
                        BrokerEvent(
                            .warning,
                            "certificate.unregistered",
                            [
                                ("instance", instance),
                                ("ca_serial_number", certificate.caSerialNumber),
                                ("serial_number", certificate.serialNumber),
                                ("explanation", "\(error)"),
                            ],
                        ),
                    )
                }
            }
        }
        do {
            authenticator = try ServiceAuthenticator(directory: directory, options: options)
        } catch {
            throw CommandFailure("\(error)")
        }
        authorizer = ServiceAuthorizer(directory: directory, fileRights: accessControl)
    }

    /// Unix milliseconds.
    static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    /// Which instances take clients of this machine without a password; `nil` for none.
    ///
    /// A device that is tried out there without its login would seem to have logged in.
    func anonymousInstances(_ configuration: Configuration) -> BrokerEvent? {
        let listeners = configuration.listeners.count - configuration.listenersWithoutAnonymous.count
        guard configuration.authentication.anonymous == .loopback, listeners > 0 else { return nil }
        let open = directory.instances.filter { $0.effectivePolicies.anonymousOnLoopback }.map(\.id)
        guard !open.isEmpty else { return nil }
        let names = open.prefix(10).joined(separator: " ") + (open.count > 10 ? " and \(open.count - 10) more" : "")
        let explanation =
            "takes clients of this machine without a password, whatever their client id; policy anonymousOnLoopback of the "
            + "instance, allowAnonymous of a listener or authentication.anonymous ends that"
        return BrokerEvent(.notice, "instances.anonymous", [("instances", names), ("explanation", explanation)])
    }

    /// Lets the broker act on changes: live connections feel them at once (apsaramq-facts 2).
    func watch(_ broker: Broker) {
        let authorizer = self.authorizer
        manager.observe { changes in
            authorizer.resourcesChanged(changes)
            var touched: Set<InstanceNumber> = []
            var changed: Set<InstanceNumber> = []
            for change in changes {
                switch change.reach {
                case .nobody: break
                case .rights(let instance): touched.insert(instance)
                case .instance(let instance): changed.insert(instance)
                case .everywhere: touched.formUnion(broker.liveInstances.map(\.number))
                }
            }
            for instance in changed { broker.instanceChanged(instance) }
            for instance in touched.subtracting(changed) { broker.postToAll(.rightsChanged(instance)) }
        }
    }
}

/// Whom a change of the catalog concerns among those who are connected.
private enum Reach {
    case nobody
    case rights(InstanceNumber)
    case instance(InstanceNumber)
    case everywhere
}

extension CatalogChange {
    fileprivate var reach: Reach {
        switch self {
        case .putInstance(let instance): .instance(instance.number)
        case .deleteInstance(let number): .instance(number)
        case .putTopic(let topic): .rights(topic.instance)
        case .deleteTopic(let number, _), .deleteGroup(let number, _): .rights(number)
        case .putIdentity(let identity): .rights(identity.instance)
        case .deleteIdentity(let number, _, _, _): .rights(number)
        case .putPermission(let permission): .rights(permission.instance)
        case .deletePermission(let number, _, _, _): .rights(number)
        case .putBan(let ban): .rights(ban.instance)
        case .putRevokedToken(let token): .rights(token.instance)
        case .putCACertificate(let certificate): .rights(certificate.instance)
        case .deleteCACertificate(let number, _): .rights(number)
        case .putDeviceCertificate(let certificate): .rights(certificate.instance)
        case .deleteDeviceCertificate(let number, _, _): .rights(number)
        case .putAccessKey, .deleteAccessKey, .deleteAccount: .everywhere
        case .putAccount, .putGroup, .putTag, .deleteTag, .putDeviceCredential, .deleteDeviceCredential, .deleteBan,
            .forgetRevokedTokens, .putServerNames, .putServiceSecret:
            .nobody
        }
    }
}

extension Tenancy {
    /// Brings the catalog to the state of a resources file, before anybody connects.
    ///
    /// - Returns: what was changed, for people.
    func apply(file path: String) throws -> [String] {
        let file = try ResourceFile(path: path)
        do {
            let document = try JSONDecoder().decode(ResourceDocument.self, from: Data(file.document.text.utf8))
            return try ResourcePlan.apply(document, to: manager, by: .local).lines
        } catch let error as DocumentError {
            let problems = error.problems.map { ResourceFile.Problem(field: $0.place, message: $0.error.message) }
            throw CommandFailure(file.report(problems).joined(separator: "\n"))
        } catch {
            throw CommandFailure("\(path) is no resources file: \(error)")
        }
    }
}
