internal import ApusConfiguration
internal import ApusCrypto
internal import ApusLoop
internal import ApusMessage
internal import ApusResources
internal import FoundationEssentials

/// What a message service has from its first start on, so that a client can connect at once: an account with an
/// administrator's key, an instance with a parent topic and a group, and one that takes any MQTT client on this machine.
///
/// Where a resources file says what there is, only the key, and only if the file has none of an administrator: nobody could
/// manage the service.
struct FirstStart {
    static let account = "default"
    /// Of the key beside a resources file; one that the file does not name, or its next application would take the key away.
    static let accountBesideFile = "administrator"
    static let instance = "post-cn-apus00001"
    /// Of the `standard` profile; the first one, so that clients whose user name carries no instance belong to it.
    static let plainInstance = "local"
    static let topic = "demo"
    static let group = "GID_demo"
    /// In the data directory, for its owner only: how the command line finds the API and its key.
    static let fileName = "administrator.json"

    /// What stands in the file.
    struct Login: Codable, Equatable {
        /// Empty until the API has opened its port, and so until somebody was told the key.
        var api: String
        var accessKeyId: String
        var accessKeySecret: String
        var account: String
        var instance: String
    }

    /// The key to tell somebody: that of a first start that has not come to its end, or a new one, made when the catalog
    /// has no administrator's.
    ///
    /// - Parameters:
    ///   - directory: the data directory. The file stands there before the catalog has the key, so that a start that ends
    ///     in between, whyever, does not take the only way in with it.
    ///   - hasResources: whether a resources file has said what there is; else an empty catalog is filled.
    /// - Returns: `nil` when there is nothing to tell.
    static func prepare(
        _ manager: ResourceManager,
        in directory: String,
        hasResources: Bool,
    ) throws(CommandFailure) -> AccessKey? {
        do {
            let folder = try PrivateFolder(creating: directory)
            if let key = try untold(folder, manager.directory) { return key }
            guard !manager.directory.hasAdministrator else { return nil }
            let isEmpty = !hasResources && manager.directory.accounts.isEmpty
            let key = AccessKey(
                id: "LTAI" + Hex.encode(try randomBytes(8)),
                secret: Hex.encode(try randomBytes(16)),
                account: isEmpty ? account : freeAccount(manager.directory),
                rights: .administrator,
                createdAt: manager.now,
            )
            let instance = isEmpty ? instance : Example(manager.directory)?.instance ?? ""
            try write(Login(key, api: "", instance: instance), in: folder)
            if isEmpty { try fill(manager, key) } else { try add(key, manager) }
            return key
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure("the first start could not fill the catalog: \(error)")
        }
    }

    /// The key of a first start that nobody was told of, if the catalog has it.
    private static func untold(_ folder: PrivateFolder, _ directory: ResourceDirectory) throws -> AccessKey? {
        guard let login = try read(folder), login.api.isEmpty,
            let key = directory.accessKey(id: login.accessKeyId), key.secret == login.accessKeySecret
        else { return nil }
        return key
    }

    /// `administrator`, or with a number, `administrator-2`.
    private static func freeAccount(_ directory: ResourceDirectory) -> String {
        let taken = Set(directory.accounts.map { $0.name.lowercased() })
        let more = (2...(taken.count + 2)).lazy.map { "\(accountBesideFile)-\($0)" }
        return taken.contains(accountBesideFile)
            ? more.first { !taken.contains($0) } ?? accountBesideFile : accountBesideFile
    }

    private static func add(_ key: AccessKey, _ manager: ResourceManager) throws(ResourceError) {
        try manager.change(
            [.putAccount(Account(name: key.account, createdAt: key.createdAt)), .putAccessKey(key)],
            by: .local,
            action: "FirstStart",
            instance: "",
            detail: "account \(key.account) with an administrator's key, for there was none",
        )
    }

    /// One transaction: there is all of it or nothing.
    private static func fill(_ manager: ResourceManager, _ key: AccessKey) throws(ResourceError) {
        let now = manager.now
        let number = InstanceNumber.provisional(0)
        try manager.change(
            [
                .putAccount(Account(name: account, createdAt: now)),
                .putAccessKey(key),
                .putInstance(Instance(id: plainInstance, account: account, profile: .standard, createdAt: now)),
                .putInstance(
                    Instance(number: number, id: instance, account: account, profile: .apsaramq, createdAt: now)
                ),
                .putTopic(ParentTopic(instance: number, name: topic, createdAt: now)),
                .putGroup(Group(instance: number, id: group, createdAt: now, updatedAt: now)),
            ],
            by: .local,
            action: "FirstStart",
            instance: instance,
            detail: "account \(account) with an administrator's key, instances \(plainInstance) and \(instance), "
                + "parent topic \(topic), group \(group)",
        )
    }

    /// Writes or refreshes the file by which the command line finds its way.
    ///
    /// - Parameter key: of the first start, which the file has.
    static func writeLogin(_ key: AccessKey?, api: String, in directory: String) throws(CommandFailure) {
        do {
            let folder = try PrivateFolder(creating: directory)
            // Of a first start that ended before the catalog had its key: it opens nothing.
            guard var login = try read(folder), key != nil || !login.api.isEmpty else { return }
            login.api = api
            try write(login, in: folder)
        } catch {
            throw CommandFailure("\(fileName) cannot be written: \(error)")
        }
    }

    /// `nil` when there is no file, or one of somebody else's.
    private static func read(_ folder: PrivateFolder) throws -> Login? {
        try folder.read(fileName).flatMap { try? JSONDecoder().decode(Login.self, from: Data($0.utf8)) }
    }

    private static func write(_ login: Login, in folder: PrivateFolder) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try folder.write(String(decoding: try encoder.encode(login), as: UTF8.self) + "\n", to: fileName)
    }

    /// What to print once: the key, and commands that work when pasted.
    ///
    /// With TLS the authority's file is left to fill in: the service knows its certificate only.
    ///
    /// - Parameters:
    ///   - api: the API's URL.
    ///   - endpoints: the URLs of the listeners; one without TLS is told before the others.
    ///   - data: the data directory.
    static func greeting(
        _ key: AccessKey,
        _ directory: ResourceDirectory,
        api: String,
        endpoints: [String],
        data dataDirectory: String,
    ) -> [String] {
        let apus = CommandLine.arguments.first ?? "apus"
        let isSecure = api.hasPrefix("https:")
        let endpoint = endpoints.first { !hasTLS($0) } ?? endpoints.first
        let data = dataDirectory + (isSecure ? trust : "")
        let note = isSecure || endpoint.map(hasTLS) ?? false ? [trustNote] : []
        let told = "administrator's access key \(key.id), secret \(key.secret); kept in \(fileName), shown this once"
        let verbs = "look and change with \(apus) instance|topic|group|client|… --data \(data), for example:"
        guard let example = Example(directory) else {
            return [told, verbs, "  \(apus) instance list --data \(data)"] + note
        }
        let (instance, topic, group) = (example.instance, example.topic, example.group)
        func login(_ device: String) -> String {
            let clientID = "\(group)@@@\(device)"
            let password = Base64.encode(HMAC.sha1(key: Array(key.secret.utf8), Array(clientID.utf8)))
            let place = endpoint.map { " --url \($0)" + (hasTLS($0) ? trust : "") } ?? ""
            return "-i \(clientID) -u 'Signature|\(key.id)|\(instance)' -P '\(password)'\(place)"
        }
        return [
            told,
            "try in other terminals:",
            "  \(apus) sub \(login("phone-1")) -t '\(topic)/#' -q 1 -v",
            "  \(apus) pub \(login("phone-2")) -t \(topic)/hello -m hello -q 1",
            "  \(apus) pub \(login("phone-2")) -t '\(topic)/p2p/\(group)@@@phone-1' -m 'to you alone' -q 1",
            verbs,
            "  \(apus) client list -I \(instance) --data \(data)",
            "or with the vendor's SDK (pip install alibabacloud-onsmqtt20200420), in Python:",
            "from alibabacloud_tea_openapi.models import Config",
            "from alibabacloud_onsmqtt20200420 import client, models",
            "c = client.Client(Config(access_key_id='\(key.id)', access_key_secret='\(key.secret)',",
            "      endpoint='\(api.drop { $0 != "/" }.dropFirst(2))', protocol='\(isSecure ? "HTTPS', ca='ca.pem" : "HTTP")'))",
            "print(c.send_message(models.SendMessageRequest(instance_id='\(instance)', mqtt_topic='\(topic)/hello',",
            "      payload='from the SDK')).body)",
        ] + note
    }

    private static let trust = " --ca-file ca.pem"
    private static let trustNote =
        "with TLS: ca.pem stands for the certificate (PEM) of the authority, and --ca-file is not needed where the system "
        + "trusts it; the host in --url must be a name of the certificate, and so must that of the API: --api https://NAME:PORT"

    private static func hasTLS(_ endpoint: String) -> Bool {
        endpoint.hasPrefix("mqtts:") || endpoint.hasPrefix("wss:")
    }
}

extension FirstStart {
    /// Where the greeting's commands work: that of the first start, or the first of the resources file that will do.
    struct Example {
        var instance: String
        var topic: String
        var group: String

        init?(_ directory: ResourceDirectory) {
            for instance in directory.instances where instance.state == .running && instance.profile == .apsaramq {
                let (topics, groups) = (directory.topics(of: instance.number), directory.groups(of: instance.number))
                guard instance.effectivePolicies.p2p, let topic = topics.first, let group = groups.first else {
                    continue
                }
                self.instance = instance.id
                self.topic = topic.name
                self.group = group.id
                return
            }
            return nil
        }
    }
}

extension FirstStart.Login {
    init(_ key: AccessKey, api: String, instance: String) {
        self.init(
            api: api,
            accessKeyId: key.id,
            accessKeySecret: key.secret,
            account: key.account,
            instance: instance,
        )
    }
}
