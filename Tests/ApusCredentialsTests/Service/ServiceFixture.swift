import ApusBroker
import ApusCrypto
import ApusMessage
import ApusResources
import MQTTCodec

@testable import ApusCredentials

/// A service with two accounts and four instances, and the ways into it.
struct ServiceFixture {
    static let now: Int64 = 1_800_000_000_000
    static let clientID = "GID_apus@@@device-0001"
    static let apsaramq = InstanceNumber(rawValue: 1)
    static let standard = InstanceNumber(rawValue: 2)
    static let foreign = InstanceNumber(rawValue: 3)
    static let stopped = InstanceNumber(rawValue: 4)
    static let tokenSecret = [UInt8](repeating: 7, count: 32)

    let directory: ResourceDirectory
    let authenticator: ServiceAuthenticator
    let authorizer: ServiceAuthorizer

    init(
        _ change: (inout CatalogContents) -> Void = { _ in },
        options configure: (inout ServiceAuthenticator.Options) -> Void = { _ in },
        fileRights: (any Authorizer)? = nil,
    ) throws {
        var contents = Self.contents
        change(&contents)
        var options = ServiceAuthenticator.Options()
        configure(&options)
        directory = ResourceDirectory(contents)
        authenticator = try ServiceAuthenticator(directory: directory, options: options)
        authorizer = ServiceAuthorizer(directory: directory, fileRights: fileRights)
    }

    static var contents: CatalogContents {
        var contents = CatalogContents()
        contents.accounts = ["shop", "other", "ops"].map { Account(name: $0, createdAt: 0) }
        contents.accessKeys = [
            key("LTAIexampleAK", "apusSecretKey0001", "shop"),
            key("LTAIdisabled", "disabledSecret01", "shop", isEnabled: false),
            key("LTAIotherAK", "otherSecret0001", "other"),
            key("LTAIadmin", "adminSecret0001", "ops", .administrator),
        ]
        contents.instances = [
            instance(apsaramq, "post-cn-apus00001", .apsaramq),
            instance(standard, "Plain-00001", .standard),
            instance(foreign, "post-cn-other0001", .apsaramq, account: "other"),
            instance(stopped, "post-cn-stopped01", .apsaramq, state: .stopped),
        ]
        contents.topics = [
            ParentTopic(instance: apsaramq, name: "orders", createdAt: 0),
            ParentTopic(instance: apsaramq, name: "chat", createdAt: 0),
            ParentTopic(instance: foreign, name: "secret", createdAt: 0),
        ]
        contents.groups = ["GID_apus", "GID_Test"].map {
            Group(instance: apsaramq, id: $0, createdAt: 0, updatedAt: 0)
        }
        contents.deviceCredentials = [
            DeviceCredential(
                instance: apsaramq,
                clientID: clientID,
                accessKeyID: "DC.deviceKey0001",
                accessKeySecret: "DC.deviceSecret0001",
                createdAt: 0,
                updatedAt: 0,
            )
        ]
        contents.identities = [
            identity(.user, "origin", nil, "originPassword", .origin),
            identity(.user, "signed", nil, "customSecret0001", .signed),
            identity(.user, "both", nil, "ofTheUser", .origin),
            identity(.client, "both", clientID, "ofTheClient", .origin),
        ]
        contents.serviceSecrets = [TokenSeal.secretName: tokenSecret]
        return contents
    }

    static func key(
        _ id: String,
        _ secret: String,
        _ account: String,
        _ rights: AccessKey.Rights = .data,
        isEnabled: Bool = true,
    ) -> AccessKey {
        AccessKey(id: id, secret: secret, account: account, rights: rights, isEnabled: isEnabled, createdAt: 0)
    }

    static func instance(
        _ number: InstanceNumber,
        _ id: String,
        _ profile: Profile,
        account: String = "shop",
        state: Instance.State = .running,
    ) -> Instance {
        Instance(number: number, id: id, account: account, profile: profile, state: state, createdAt: 0)
    }

    static func identity(
        _ type: IdentityType,
        _ userName: String,
        _ clientID: String?,
        _ secret: String,
        _ signMode: CustomIdentity.SignMode,
    ) -> CustomIdentity {
        CustomIdentity(
            instance: apsaramq,
            type: type,
            userName: userName,
            clientID: clientID,
            secret: secret,
            signMode: signMode,
        )
    }

    /// A token of the service.
    static func token(
        _ resources: [String] = ["orders/#"],
        read: Bool = true,
        write: Bool = true,
        instance: InstanceNumber = apsaramq,
        key: String = "LTAIexampleAK",
        id: String = "00000000000000000000000000000001",
        expiresAt: Int64 = now + 3_600_000,
    ) -> Token {
        Token(
            id: id,
            instance: instance,
            accessKeyID: key,
            mayRead: read,
            mayWrite: write,
            resources: resources,
            issuedAt: now,
            expiresAt: expiresAt,
        )
    }

    static func seal(_ token: Token) -> String { TokenSeal(secret: tokenSecret).seal(token) }

    static func signature(_ secret: String, _ clientID: String = clientID) -> String {
        Base64.encode(HMAC.sha1(key: Array(secret.utf8), Array(clientID.utf8)))
    }

    static func request(
        _ userName: String?,
        _ password: [UInt8]?,
        clientID: String = clientID,
        instance: InstanceNumber = apsaramq,
        address: String = "192.0.2.1:5000",
        isLoopback: Bool = false,
        listener: String = "mqtt://0.0.0.0:1883",
        certificate: [UInt8]? = nil,
        certificateFault: String? = nil,
        now: Int64 = now,
    ) -> AuthenticationRequest {
        AuthenticationRequest(
            peer: Peer(
                address: address,
                listener: listener,
                isLoopback: isLoopback,
                certificate: certificate,
                certificateFault: certificateFault,
            ),
            instance: instance,
            clientID: clientID,
            userName: userName,
            password: password,
            version: .v5,
            now: Timestamp(milliseconds: now),
        )
    }

    /// Connects with user name and password.
    func connect(
        _ userName: String?,
        _ password: String?,
        clientID: String = clientID,
        instance: InstanceNumber = apsaramq,
        address: String = "192.0.2.1:5000",
        isLoopback: Bool = false,
        certificate: [UInt8]? = nil,
        certificateFault: String? = nil,
        now: Int64 = now,
    ) async -> AuthenticationOutcome {
        await authenticator.outcome(
            of: Self.request(
                userName,
                password.map { Array($0.utf8) },
                clientID: clientID,
                instance: instance,
                address: address,
                isLoopback: isLoopback,
                certificate: certificate,
                certificateFault: certificateFault,
                now: now,
            )
        )
    }

    /// Connects in signature mode.
    func signIn(
        _ clientID: String = clientID,
        key: String = "LTAIexampleAK",
        secret: String = "apusSecretKey0001",
        instanceID: String = "post-cn-apus00001",
        instance: InstanceNumber = apsaramq,
    ) async -> AuthenticationOutcome {
        await connect(
            "Signature|\(key)|\(instanceID)",
            Self.signature(secret, clientID),
            clientID: clientID,
            instance: instance,
        )
    }

    /// A change as the manager would make it.
    func change(_ changes: CatalogChange...) {
        directory.apply(changes)
        authorizer.resourcesChanged(changes)
    }
}

extension AuthenticationOutcome {
    var principal: Principal? {
        if case .accepted(let principal) = self { principal } else { nil }
    }

    var code: ReasonCode? {
        if case .refused(let code, _, _) = self { code } else { nil }
    }

    var explanation: String {
        if case .refused(_, let explanation, _) = self { explanation } else { "accepted" }
    }

    /// What the client reads.
    var told: String {
        if case .refused(_, let explanation, let told) = self { told ?? explanation } else { "accepted" }
    }
}

extension AccessDenial {
    var sentence: String {
        if case .rule(let sentence) = self { sentence } else { "no right" }
    }
}
