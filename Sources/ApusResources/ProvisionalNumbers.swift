package import ApusMessage

extension InstanceNumber {
    private static let firstProvisional: UInt32 = 0x8000_0000

    /// A number by which the changes of one transaction name an instance that the transaction creates.
    ///
    /// - Parameter index: 0 …, one for each new instance of the transaction.
    package static func provisional(_ index: Int) -> InstanceNumber {
        InstanceNumber(rawValue: firstProvisional | UInt32(truncatingIfNeeded: index))
    }

    /// Whether a value with this number is yet to be created; numbers that a catalog gives stay below.
    package var isNew: Bool { self == .none || rawValue >= Self.firstProvisional }
}

/// The numbers that a catalog has given to the new instances of one transaction.
///
/// An instance and what belongs to it are created together, though its number is known only then.
package struct ProvisionalNumbers {
    private var given: [InstanceNumber: InstanceNumber] = [:]

    package init() {}

    /// - Parameter provisional: what the transaction calls the instance; `.none` when nothing else of it does.
    package mutating func give(_ number: InstanceNumber, to provisional: InstanceNumber) {
        if provisional != .none { given[provisional] = number }
    }

    /// The change with the given numbers in place of provisional ones.
    package func resolve(_ change: CatalogChange) -> CatalogChange {
        given.isEmpty ? change : change.renumbered { given[$0] ?? $0 }
    }
}

extension CatalogChange {
    fileprivate func renumbered(_ number: (InstanceNumber) -> InstanceNumber) -> CatalogChange {
        switch self {
        case .putInstance(var instance):
            instance.number = number(instance.number)
            return .putInstance(instance)
        case .deleteInstance(let old): return .deleteInstance(number(old))
        case .putTopic(let topic): return .putTopic(topic.in(number))
        case .deleteTopic(let old, let name): return .deleteTopic(number(old), name: name)
        case .putGroup(let group): return .putGroup(group.in(number))
        case .deleteGroup(let old, let id): return .deleteGroup(number(old), id: id)
        case .putTag(let tag): return .putTag(tag.in(number))
        case .deleteTag(let old, let kind, let resource, let key):
            return .deleteTag(number(old), kind, resource: resource, key: key)
        case .putDeviceCredential(let credential): return .putDeviceCredential(credential.in(number))
        case .deleteDeviceCredential(let old, let clientID):
            return .deleteDeviceCredential(number(old), clientID: clientID)
        case .putIdentity(let identity): return .putIdentity(identity.in(number))
        case .deleteIdentity(let old, let type, let userName, let clientID):
            return .deleteIdentity(number(old), type, userName: userName, clientID: clientID)
        case .putPermission(let permission): return .putPermission(permission.in(number))
        case .deletePermission(let old, let type, let identity, let topic):
            return .deletePermission(number(old), type, identity: identity, topic: topic)
        case .putBan(let ban): return .putBan(ban.in(number))
        case .deleteBan(let ban): return .deleteBan(ban.in(number))
        case .putRevokedToken(let token): return .putRevokedToken(token.in(number))
        case .putCACertificate(let authority): return .putCACertificate(authority.in(number))
        case .deleteCACertificate(let old, let serialNumber):
            return .deleteCACertificate(number(old), serialNumber: serialNumber)
        case .putDeviceCertificate(let certificate): return .putDeviceCertificate(certificate.in(number))
        case .deleteDeviceCertificate(let old, let authority, let serialNumber):
            return .deleteDeviceCertificate(number(old), caSerialNumber: authority, serialNumber: serialNumber)
        case .putServerNames(let names): return .putServerNames(names.in(number))
        case .putAccount, .deleteAccount, .putAccessKey, .deleteAccessKey, .forgetRevokedTokens, .putServiceSecret:
            return self
        }
    }
}

/// What belongs to an instance by its number.
private protocol Belonging {
    var instance: InstanceNumber { get set }
}

extension Belonging {
    fileprivate func `in`(_ number: (InstanceNumber) -> InstanceNumber) -> Self {
        var value = self
        value.instance = number(instance)
        return value
    }
}

extension ParentTopic: Belonging {}
extension Group: Belonging {}
extension Tag: Belonging {}
extension DeviceCredential: Belonging {}
extension CustomIdentity: Belonging {}
extension CustomPermission: Belonging {}
extension BannedClient: Belonging {}
extension RevokedToken: Belonging {}
extension CACertificate: Belonging {}
extension DeviceCertificate: Belonging {}
extension ServerNameConfiguration: Belonging {}
