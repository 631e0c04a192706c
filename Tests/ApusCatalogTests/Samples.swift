import ApusMessage
import ApusResources

/// One value of each kind that belongs to an instance; `text` stands wherever text can.
struct Samples {
    let instance: InstanceNumber
    var text = "sample"

    var topic: ParentTopic { ParentTopic(instance: instance, name: text, remark: text, createdAt: .max) }
    var group: Group { Group(instance: instance, id: text, createdAt: 1, updatedAt: 2) }
    func tag(_ kind: ApusResources.Tag.Kind) -> ApusResources.Tag {
        ApusResources.Tag(instance: instance, kind: kind, resource: text, key: text, value: text)
    }
    var credential: DeviceCredential {
        DeviceCredential(
            instance: instance,
            clientID: text,
            accessKeyID: text,
            accessKeySecret: text,
            createdAt: 1,
            updatedAt: 2,
        )
    }
    func identity(_ type: IdentityType, _ mode: CustomIdentity.SignMode) -> CustomIdentity {
        CustomIdentity(
            instance: instance,
            type: type,
            userName: text,
            clientID: type == .client ? text : nil,
            secret: text,
            signMode: mode,
        )
    }
    func permission(
        _ type: IdentityType,
        _ effect: CustomPermission.Effect,
        _ action: CustomPermission.Action,
    ) -> CustomPermission {
        CustomPermission(
            instance: instance,
            type: type,
            identity: text,
            topic: text,
            effect: effect,
            action: action,
        )
    }
    var ban: BannedClient { BannedClient(instance: instance, clientID: text) }
    var revokedToken: RevokedToken { RevokedToken(instance: instance, tokenID: text, expiresAt: 10) }
    var authority: CACertificate {
        CACertificate(
            instance: instance,
            serialNumber: text,
            name: text,
            content: text,
            verificationContent: text,
            registrationCode: text,
            isActive: false,
            validFrom: 1,
            validUntil: 2,
        )
    }
    var device: DeviceCertificate {
        DeviceCertificate(
            instance: instance,
            caSerialNumber: text,
            serialNumber: text,
            name: text,
            content: text,
            isActive: false,
            validFrom: 1,
            validUntil: 2,
        )
    }
    var serverNames: ServerNameConfiguration {
        ServerNameConfiguration(
            instance: instance,
            defaultCertificate: text,
            entries: [
                .init(domain: text, certificateID: text, password: text),
                .init(domain: "", certificateID: "", password: ""),
            ],
        )
    }

    /// All of them.
    var puts: [CatalogChange] {
        [
            .putTopic(topic), .putGroup(group), .putTag(tag(.instance)), .putTag(tag(.group)), .putTag(tag(.topic)),
            .putDeviceCredential(credential), .putIdentity(identity(.user, .origin)),
            .putIdentity(identity(.client, .signed)), .putPermission(permission(.user, .allow, .publish)),
            .putPermission(permission(.client, .deny, .both)), .putBan(ban), .putRevokedToken(revokedToken),
            .putCACertificate(authority), .putDeviceCertificate(device), .putServerNames(serverNames),
        ]
    }

    /// As they are loaded.
    var contents: CatalogContents {
        var contents = CatalogContents()
        contents.topics = [topic]
        contents.groups = [group]
        contents.tags = [tag(.instance), tag(.group), tag(.topic)]
        contents.deviceCredentials = [credential]
        contents.identities = [identity(.user, .origin), identity(.client, .signed)]
        contents.permissions = [permission(.user, .allow, .publish), permission(.client, .deny, .both)]
        contents.bans = [ban]
        contents.revokedTokens = [revokedToken]
        contents.caCertificates = [authority]
        contents.deviceCertificates = [device]
        contents.serverNames = [serverNames]
        return contents
    }
}
