internal import ApusConfiguration
internal import ApusCrypto
internal import ApusLoop
internal import ApusMessage
internal import ApusResources
internal import FoundationEssentials

/// What a message service has from its first start on, so that a client can connect at once: an account with an
/// administrator's key, an instance, a parent topic and a group.
struct FirstStart {
    static let account = "default"
    static let instance = "post-cn-apus00001"
    static let topic = "demo"
    static let group = "GID_demo"
    /// In the data directory, for its owner only: how the command line finds the API and its key.
    static let fileName = "administrator.json"

    /// What stands in the file.
    struct Login: Codable, Equatable {
        var api: String
        var accessKeyId: String
        var accessKeySecret: String
        var account: String
        var instance: String
    }

    /// Makes them when the catalog has no account yet.
    ///
    /// - Returns: the new key; `nil` when there was something.
    static func prepare(_ manager: ResourceManager) throws -> AccessKey? {
        guard manager.directory.accounts.isEmpty else { return nil }
        let now = Tenancy.now()
        let key: AccessKey
        do {
            key = AccessKey(
                id: "LTAI" + Hex.encode(try randomBytes(8)),
                secret: Hex.encode(try randomBytes(16)),
                account: account,
                rights: .administrator,
                createdAt: now,
            )
            let made = try manager.change(
                [
                    .putAccount(Account(name: account, createdAt: now)),
                    .putAccessKey(key),
                    .putInstance(Instance(id: instance, account: account, profile: .apsaramq, createdAt: now)),
                ],
                by: .local,
                action: "FirstStart",
                instance: instance,
                detail: "account \(account) with an administrator's key, instance \(instance)",
            )
            guard case .putInstance(let stored)? = made.last else { return key }
            try manager.change(
                [
                    .putTopic(ParentTopic(instance: stored.number, name: topic, createdAt: now)),
                    .putGroup(Group(instance: stored.number, id: group, createdAt: now, updatedAt: now)),
                ],
                by: .local,
                action: "FirstStart",
                instance: instance,
                detail: "parent topic \(topic), group \(group)",
            )
        } catch {
            throw CommandFailure("the first start could not fill the catalog: \(error)")
        }
        return key
    }

    /// Writes or refreshes the file by which the command line finds its way.
    ///
    /// - Parameter key: of the first start; later the file keeps the key that it has.
    static func writeLogin(_ key: AccessKey?, api: String, in directory: String) throws {
        do {
            let folder = try PrivateFolder(creating: directory)
            var login: Login
            if let key {
                login = Login(
                    api: api,
                    accessKeyId: key.id,
                    accessKeySecret: key.secret,
                    account: key.account,
                    instance: instance,
                )
            } else {
                guard let text = try folder.read(fileName),
                    let known = try? JSONDecoder().decode(Login.self, from: Data(text.utf8))
                else { return }
                login = known
                login.api = api
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try folder.write(String(decoding: try encoder.encode(login), as: UTF8.self) + "\n", to: fileName)
        } catch {
            throw CommandFailure("\(fileName) cannot be written: \(error)")
        }
    }
}
