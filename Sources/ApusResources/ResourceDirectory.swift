internal import ApusLocks
package import ApusMessage
internal import Synchronization

/// The catalog in memory: what authentication, rights and the API look up.
///
/// Safe from every thread; a look-up takes a lock for as long as a hash table needs. Lists are sorted by their keys where
/// nothing else is said.
package final class ResourceDirectory: Sendable {
    private let state: Guarded<ResourceState>
    private let revisions = Atomic<UInt64>(1)

    package init(_ contents: CatalogContents) { state = Guarded(ResourceState(contents)) }

    /// Grows with each change.
    package var revision: UInt64 { revisions.load(ordering: .acquiring) }

    /// Makes changes visible, all at once.
    ///
    /// ``ResourceManager`` calls it when they are safe.
    package func apply(_ changes: [CatalogChange]) {
        state.withLock { state in for change in changes { state.apply(change) } }
        // After the change: what is remembered under the new revision must be a new answer.
        revisions.add(1, ordering: .releasing)
    }

    /// What the rules look at.
    ///
    /// A copy costs nothing until it is changed; it is gone on return, so that `apply` then changes tables in place.
    func inspect<Answer>(_ body: (ResourceState) throws(ResourceError) -> Answer) throws(ResourceError) -> Answer {
        let state = state.withLock { $0 }
        return try body(state)
    }

    /// A copy that may be changed, which costs what is changed.
    var snapshot: ResourceState { state.withLock { $0 } }

    // MARK: - Accounts

    package func account(_ name: String) -> Account? { state.withLock { $0.accounts[ExactText(name)] } }
    package var accounts: [Account] { state.withLock { Array($0.accounts.values) }.sorted { $0.name < $1.name } }
    package func accessKey(id: String) -> AccessKey? { state.withLock { $0.accessKeys[ExactText(id)] } }
    /// Whether anybody can manage the service.
    package var hasAdministrator: Bool { state.withLock { $0.accessKeys.values.contains(where: \.isAdministrators) } }
    package func accessKeys(ofAccount name: String) -> [AccessKey] {
        state.withLock { $0.accessKeys.values.filter { $0.account == name } }.sorted { $0.id < $1.id }
    }

    // MARK: - Instances

    /// The instance of exactly this id.
    package func instance(id: String) -> Instance? {
        state.withLock { state in state.numbers[ExactText(id)].flatMap { state.instances[$0] } }
    }
    package func instance(_ number: InstanceNumber) -> Instance? { state.withLock { $0.instances[number] } }
    /// By number: the first running one is that of connections that name none.
    package var instances: [Instance] {
        state.withLock { Array($0.instances.values) }.sorted { $0.number < $1.number }
    }

    /// Whether connections that name no instance are for this one.
    package func isFirstRunning(_ number: InstanceNumber) -> Bool {
        state.withLock { $0.instances.values.filter { $0.state == .running }.map(\.number).min() } == number
    }

    package func hasTopic(_ instance: InstanceNumber, _ name: String) -> Bool {
        state.withLock { $0.tenants[instance]?.topics[ExactText(name)] != nil }
    }
    package func topics(of instance: InstanceNumber) -> [ParentTopic] {
        state.withLock { Array($0.tenants[instance]?.topics.values ?? [:].values) }.sorted { $0.name < $1.name }
    }
    package func hasGroup(_ instance: InstanceNumber, _ id: String) -> Bool {
        state.withLock { $0.tenants[instance]?.groups[ExactText(id)] != nil }
    }
    package func groups(of instance: InstanceNumber) -> [Group] {
        state.withLock { Array($0.tenants[instance]?.groups.values ?? [:].values) }.sorted { $0.id < $1.id }
    }
    package func tags(of instance: InstanceNumber) -> [Tag] {
        state.withLock { $0.tenants[instance]?.tags.values.flatMap(\.values) ?? [] }
            .sorted { ($0.kind.rawValue, $0.resource, $0.key) < ($1.kind.rawValue, $1.resource, $1.key) }
    }
    /// Of all instances, by their numbers.
    package var serverNames: [ServerNameConfiguration] {
        state.withLock { $0.tenants.values.compactMap(\.serverNames) }.sorted { $0.instance < $1.instance }
    }
    package func serverNames(of instance: InstanceNumber) -> ServerNameConfiguration? {
        state.withLock { $0.tenants[instance]?.serverNames }
    }

    // MARK: - Credentials

    package func deviceCredential(_ instance: InstanceNumber, clientID: String) -> DeviceCredential? {
        state.withLock { $0.tenants[instance]?.credentials[ExactText(clientID)] }
    }
    package func deviceCredential(_ instance: InstanceNumber, accessKeyID: String) -> DeviceCredential? {
        state.withLock { state in
            let tenant = state.tenants[instance]
            return tenant?.credentialsByKey[ExactText(accessKeyID)].flatMap { tenant?.credentials[$0] }
        }
    }
    /// Client ids with a credential of their own: all of the instance, or of one group; at most `limit` behind `after`.
    package func deviceCredentialClientIDs(
        _ instance: InstanceNumber,
        group: String?,
        after: String,
        limit: Int,
    ) -> (clientIDs: [String], total: Int) {
        let prefix = group.map { "\($0)@@@" } ?? ""
        let limit = min(max(limit, 0), 100_000)
        let all = state.withLock { state in state.tenants[instance]?.credentials.keys.map(\.text) ?? [] }
        var page: [String] = []
        var total = 0
        for clientID in all where clientID.hasPrefix(prefix) {
            total += 1
            guard clientID > after else { continue }
            page.append(clientID)
            // Sorting all of them for each page would cost far more than this.
            if page.count >= 2 * limit + 64 { page = Array(page.sorted().prefix(limit)) }
        }
        return (Array(page.sorted().prefix(limit)), total)
    }

    /// The entry of user name and client id before that of the user name alone.
    package func identity(_ instance: InstanceNumber, userName: String, clientID: String) -> CustomIdentity? {
        state.withLock { state in
            let entries = state.tenants[instance]?.identities[ExactText(userName)]
            return (clientID.isEmpty ? nil : entries?[ExactText(clientID)]) ?? entries?[ExactText("")]
        }
    }
    /// Ids of those instances of an account, at most three, in which `identity` finds one; looked for in as many
    /// instances as cost no more than a failed login may, 1,000.
    package func instances(ofAccount name: String, withIdentity userName: String, clientID: String) -> [String] {
        state.withLock { state in
            guard state.instances.count <= 1_000 else { return [] }
            let found = state.instances.values.filter { instance in
                let entries = state.tenants[instance.number]?.identities[ExactText(userName)]
                return instance.account == name
                    && (entries?[ExactText(clientID)] != nil || entries?[ExactText("")] != nil)
            }
            return Array(found.map(\.id).sorted().prefix(3))
        }
    }
    /// The entry of exactly this client id, or with `nil` that of the user name alone.
    package func storedIdentity(_ instance: InstanceNumber, userName: String, clientID: String?) -> CustomIdentity? {
        state.withLock { $0.tenants[instance]?.identities[ExactText(userName)]?[ExactText(clientID ?? "")] }
    }
    /// Those of one user name or of all, in no order: there may be very many.
    package func identities(of instance: InstanceNumber, userName: String? = nil) -> [CustomIdentity] {
        state.withLock { state in
            let all = state.tenants[instance]?.identities
            return userName.map { Array(all?[ExactText($0)]?.values ?? [:].values) } ?? all?.values.flatMap(\.values)
                ?? []
        }
    }
    package func permission(
        _ instance: InstanceNumber,
        _ type: IdentityType,
        identity: String,
        topic: String,
    ) -> CustomPermission? {
        let key = ResourceState.PermissionKey(type, identity)
        return state.withLock { $0.tenants[instance]?.permissions[key]?[ExactText(topic)] }
    }
    /// Those of one type or both, of one identity or of all, in no order: there may be very many.
    package func permissions(
        of instance: InstanceNumber,
        _ type: IdentityType? = nil,
        identity: String? = nil,
    ) -> [CustomPermission] {
        let types = type.map { [$0] } ?? IdentityType.allCases
        return state.withLock { state in
            let all = state.tenants[instance]?.permissions ?? [:]
            guard let identity else {
                return all.filter { types.contains($0.key.type) }.values.flatMap(\.values)
            }
            return types.flatMap { all[ResourceState.PermissionKey($0, identity)]?.values ?? [:].values }
        }
    }
    /// Those of the user name and those of the client id.
    package func permissions(_ instance: InstanceNumber, userName: String, clientID: String) -> [CustomPermission] {
        state.withLock { state in
            let all = state.tenants[instance]?.permissions
            let ofUser = all?[ResourceState.PermissionKey(.user, userName)]
            let ofClient = all?[ResourceState.PermissionKey(.client, clientID)]
            return Array(ofUser?.values ?? [:].values) + Array(ofClient?.values ?? [:].values)
        }
    }
    /// In no order.
    package func bans(of instance: InstanceNumber) -> [BannedClient] {
        state.withLock { $0.tenants[instance]?.bans.map { BannedClient(instance: instance, clientID: $0.text) } ?? [] }
    }
    package func isBanned(_ instance: InstanceNumber, clientID: String) -> Bool {
        state.withLock { $0.tenants[instance]?.bans.contains(ExactText(clientID)) ?? false }
    }
    package func isRevoked(_ instance: InstanceNumber, tokenID: String) -> Bool {
        state.withLock { $0.tenants[instance]?.revokedTokens[ExactText(tokenID)] != nil }
    }
    /// How many revocations of an instance are stored, of tokens that end at or after a time in Unix milliseconds.
    package func revocations(of instance: InstanceNumber, endingAt time: Int64 = .min) -> Int {
        state.withLock { state in
            let all = state.tenants[instance]?.revokedTokens ?? [:]
            return time == .min ? all.count : all.values.count { $0.expiresAt >= time }
        }
    }

    // MARK: - Certificates and secrets

    package func caCertificates(of instance: InstanceNumber) -> [CACertificate] {
        state.withLock { Array($0.tenants[instance]?.authorities.values ?? [:].values) }
            .sorted { $0.serialNumber < $1.serialNumber }
    }
    package func caCertificate(_ instance: InstanceNumber, serialNumber: String) -> CACertificate? {
        state.withLock { $0.tenants[instance]?.authorities[ExactText(serialNumber)] }
    }
    package func deviceCertificate(
        _ instance: InstanceNumber,
        caSerialNumber: String,
        serialNumber: String,
    ) -> DeviceCertificate? {
        state.withLock { $0.tenants[instance]?.deviceCertificates[ExactText(caSerialNumber)]?[ExactText(serialNumber)] }
    }
    /// Of one authority, or of all.
    package func deviceCertificates(
        of instance: InstanceNumber,
        caSerialNumber: String?,
    ) -> [DeviceCertificate] {
        state.withLock { state in
            let all = state.tenants[instance]?.deviceCertificates
            return caSerialNumber.map { Array(all?[ExactText($0)]?.values ?? [:].values) }
                ?? all?.values.flatMap(\.values) ?? []
        }
        .sorted { ($0.caSerialNumber, $0.serialNumber) < ($1.caSerialNumber, $1.serialNumber) }
    }
    package func serviceSecret(_ name: String) -> [UInt8]? { state.withLock { $0.serviceSecrets[name] } }
}
