internal import ApusConfiguration
internal import ApusCrypto
internal import ApusLoop
internal import ApusMessage
internal import ApusResources
internal import FoundationEssentials

/// What a message service has from its first start on, so that a client can connect at once: an account with an
/// administrator's key, an instance with a parent topic and a group, and one that takes any MQTT client on this machine.
struct FirstStart {
    static let account = "default"
    static let instance = "post-cn-apus00001"
    /// Of the `standard` profile; the first one, so that clients whose user name carries no instance belong to it.
    static let plainInstance = "local"
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
                    .putInstance(Instance(id: plainInstance, account: account, profile: .standard, createdAt: now)),
                    .putInstance(Instance(id: instance, account: account, profile: .apsaramq, createdAt: now)),
                ],
                by: .local,
                action: "FirstStart",
                instance: instance,
                detail: "account \(account) with an administrator's key, instances \(plainInstance) and \(instance)",
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

    /// What to print once: the key, and commands that work when pasted.
    ///
    /// - Parameters:
    ///   - api: the API's URL.
    ///   - endpoint: the URL of a listener.
    ///   - data: the data directory.
    static func greeting(_ key: AccessKey, api: String, endpoint: String?, data: String) -> [String] {
        let apus = CommandLine.arguments.first ?? "apus"
        let isSecure = api.hasPrefix("https:")
        func login(_ device: String) -> String {
            let clientID = "\(group)@@@\(device)"
            let password = Base64.encode(HMAC.sha1(key: Array(key.secret.utf8), Array(clientID.utf8)))
            let place = endpoint.map { " --url \($0)" } ?? ""
            return "-i \(clientID) -u 'Signature|\(key.id)|\(instance)' -P '\(password)'\(place)"
        }
        return [
            "administrator's access key \(key.id), secret \(key.secret); kept in \(fileName), shown this once",
            "try in other terminals:",
            "  \(apus) sub \(login("phone-1")) -t '\(topic)/#' -q 1 -v",
            "  \(apus) pub \(login("phone-2")) -t \(topic)/hello -m hello -q 1",
            "  \(apus) pub \(login("phone-2")) -t '\(topic)/p2p/\(group)@@@phone-1' -m 'to you alone' -q 1",
            "look and change with \(apus) instance|topic|group|client|… --data \(data), for example:",
            "  \(apus) client list -I \(instance) --data \(data)",
            "or with the vendor's SDK (pip install alibabacloud-onsmqtt20200420):",
            "  from alibabacloud_tea_openapi.models import Config",
            "  from alibabacloud_onsmqtt20200420 import client, models",
            "  c = client.Client(Config(access_key_id='\(key.id)', access_key_secret='\(key.secret)',",
            "      endpoint='\(api.drop { $0 != "/" }.dropFirst(2))', protocol='\(isSecure ? "HTTPS" : "HTTP")'))",
            "  print(c.send_message(models.SendMessageRequest(instance_id='\(instance)', mqtt_topic='\(topic)/hello',",
            "      payload='from the SDK')).body)",
        ]
    }
}
