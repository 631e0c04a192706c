import ApusMessage
import Testing

@testable import ApusResources

/// A catalog in memory with an account, its administrator's key and two instances.
struct ResourceFixture {
    /// Unix milliseconds of every change.
    static let now: Int64 = 1_763_826_000_000
    static let actor = ResourceManager.Actor(name: "LTAIadmin", source: "127.0.0.1")

    let manager: ResourceManager
    /// Of the profile `apsaramq`.
    let instance: InstanceNumber
    /// Of the profile `standard`.
    let plain: InstanceNumber

    init(_ catalog: any Catalog = MemoryCatalog()) throws {
        manager = try ResourceManager(catalog: catalog) { Self.now }
        let made = try manager.change(
            [
                .putAccount(Account(name: "shop", createdAt: 1)),
                .putAccessKey(Self.key("LTAIadmin")),
                .putInstance(Self.instance("post-cn-apus00001")),
                .putInstance(Self.instance("plain", .standard)),
            ],
            by: .local,
            action: "fixture",
            instance: "",
            detail: "",
        )
        guard case .putInstance(let first) = made[2], case .putInstance(let second) = made[3] else {
            throw CatalogError.storage("no instances")
        }
        instance = first.number
        plain = second.number
    }

    var directory: ResourceDirectory { manager.directory }

    @discardableResult
    func change(_ changes: CatalogChange...) throws(ResourceError) -> [CatalogChange] {
        try manager.change(changes, by: Self.actor, action: "Test", instance: "post-cn-apus00001", detail: "a test")
    }

    /// Why the changes were refused; `nil` when they were made.
    func refusal(_ changes: CatalogChange...) -> ResourceError? {
        do throws(ResourceError) {
            _ = try manager.change(changes, by: Self.actor, action: "Test", instance: "", detail: "")
            return nil
        } catch {
            return error
        }
    }

    // MARK: - Values

    static func key(
        _ id: String,
        _ rights: AccessKey.Rights = .administrator,
        account: String = "shop",
        secret: String = "exampleSecret123",
        isEnabled: Bool = true,
    ) -> AccessKey {
        AccessKey(id: id, secret: secret, account: account, rights: rights, isEnabled: isEnabled, createdAt: 1)
    }

    static func instance(_ id: String, _ profile: Profile = .apsaramq) -> Instance {
        Instance(id: id, account: "shop", profile: profile, createdAt: 1)
    }

    func topic(_ name: String, remark: String = "", in other: InstanceNumber? = nil) -> CatalogChange {
        .putTopic(ParentTopic(instance: other ?? instance, name: name, remark: remark, createdAt: 1))
    }

    func group(_ id: String) -> CatalogChange {
        .putGroup(Group(instance: instance, id: id, createdAt: 1, updatedAt: 1))
    }

    func tag(_ key: String, _ value: String = "v", on resource: String, _ kind: ApusResources.Tag.Kind = .topic)
        -> CatalogChange
    {
        .putTag(ApusResources.Tag(instance: instance, kind: kind, resource: resource, key: key, value: value))
    }

    func credential(
        _ clientID: String,
        id: String = "DC.key1",
        secret: String = "DC.secret1",
    ) -> CatalogChange {
        .putDeviceCredential(
            DeviceCredential(
                instance: instance,
                clientID: clientID,
                accessKeyID: id,
                accessKeySecret: secret,
                createdAt: 1,
                updatedAt: 1,
            )
        )
    }

    func identity(_ userName: String, clientID: String? = nil, secret: String = "secret") -> CatalogChange {
        identity(clientID == nil ? .user : .client, userName, clientID: clientID, secret: secret)
    }

    func identity(
        _ type: IdentityType,
        _ userName: String,
        clientID: String?,
        secret: String = "secret",
    ) -> CatalogChange {
        .putIdentity(
            CustomIdentity(
                instance: instance,
                type: type,
                userName: userName,
                clientID: clientID,
                secret: secret,
                signMode: .origin,
            )
        )
    }

    func permission(
        _ identity: String,
        _ topic: String,
        _ effect: CustomPermission.Effect = .allow,
        in other: InstanceNumber? = nil,
    ) -> CatalogChange {
        .putPermission(
            CustomPermission(
                instance: other ?? instance,
                type: .user,
                identity: identity,
                topic: topic,
                effect: effect,
                action: .both,
            )
        )
    }

    func ban(_ clientID: String) -> CatalogChange { .putBan(BannedClient(instance: instance, clientID: clientID)) }

    /// Sets limits of the first instance.
    func limit(_ values: [InstanceLimits.Name: Int]) throws {
        var changed = try #require(directory.instance(instance))
        changed.limits = LimitOverrides(values)
        try change(.putInstance(changed))
    }
}
