package import ApusMessage

/// One change of the catalog.
///
/// Several make a transaction: all or none of them.
package enum CatalogChange: Sendable, Hashable {
    case putAccount(Account)
    /// With its access keys. An account that owns instances cannot be deleted.
    case deleteAccount(name: String)
    case putAccessKey(AccessKey)
    case deleteAccessKey(id: String)
    /// A new one has the number `.none` or a provisional one (``ProvisionalNumbers``), and gets its own.
    case putInstance(Instance)
    /// With all that belongs to it.
    case deleteInstance(InstanceNumber)
    case putTopic(ParentTopic)
    /// With its tags.
    case deleteTopic(InstanceNumber, name: String)
    case putGroup(Group)
    /// With its tags.
    case deleteGroup(InstanceNumber, id: String)
    case putTag(Tag)
    case deleteTag(InstanceNumber, Tag.Kind, resource: String, key: String)
    /// Replaces an earlier one of the same client id.
    case putDeviceCredential(DeviceCredential)
    case deleteDeviceCredential(InstanceNumber, clientID: String)
    case putIdentity(CustomIdentity)
    case deleteIdentity(InstanceNumber, IdentityType, userName: String, clientID: String?)
    case putPermission(CustomPermission)
    case deletePermission(InstanceNumber, IdentityType, identity: String, topic: String)
    case putBan(BannedClient)
    case deleteBan(BannedClient)
    case putRevokedToken(RevokedToken)
    /// Entries whose tokens have ended anyway.
    case forgetRevokedTokens(expiredBefore: Int64)
    case putCACertificate(CACertificate)
    /// With its device certificates.
    case deleteCACertificate(InstanceNumber, serialNumber: String)
    case putDeviceCertificate(DeviceCertificate)
    case deleteDeviceCertificate(InstanceNumber, caSerialNumber: String, serialNumber: String)
    case putServerNames(ServerNameConfiguration)
    /// A secret of the service itself, by name; 32 bytes (see ``Token``).
    case putServiceSecret(name: String, [UInt8])
}

/// All that the catalog holds, read at start.
package struct CatalogContents: Sendable, Equatable {
    package var accounts: [Account] = []
    package var accessKeys: [AccessKey] = []
    package var instances: [Instance] = []
    package var topics: [ParentTopic] = []
    package var groups: [Group] = []
    package var tags: [Tag] = []
    package var deviceCredentials: [DeviceCredential] = []
    package var identities: [CustomIdentity] = []
    package var permissions: [CustomPermission] = []
    package var bans: [BannedClient] = []
    package var revokedTokens: [RevokedToken] = []
    package var caCertificates: [CACertificate] = []
    package var deviceCertificates: [DeviceCertificate] = []
    package var serverNames: [ServerNameConfiguration] = []
    package var serviceSecrets: [String: [UInt8]] = [:]

    package init() {}
}

/// Why the catalog could not do as asked.
package enum CatalogError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The storage beneath failed; nothing has changed.
    case storage(String)
    /// The file is of a newer version, damaged, or in use by another process.
    case unusable(String)

    package var description: String {
        switch self {
        case .storage(let text): "the catalog could not be written: \(text)"
        case .unusable(let text): "the catalog cannot be used: \(text)"
        }
    }
}

/// Where accounts, instances and all that belongs to them are kept: the catalog port.
///
/// One writer at a time; a transaction is safe on return. Checks no rules: ``ResourceManager`` does.
package protocol Catalog: Sendable {
    func load() throws(CatalogError) -> CatalogContents

    /// Makes all changes, with their entry in the audit log, or none of them.
    ///
    /// Text with NUL is refused: none that an MQTT client sends has one [MQTT-1.5.4-2].
    ///
    /// - Returns: the changes as made: a new instance has its number, also where later changes named it.
    func commit(_ changes: [CatalogChange], audit: AuditEntry?) throws(CatalogError) -> [CatalogChange]

    /// Entries of the audit log, newest first, whose number is below `before` (all when `nil`), at most `limit`; of one
    /// instance when its id is given.
    func audit(before: Int64?, limit: Int, instance: String?) throws(CatalogError) -> [AuditEntry]
}
