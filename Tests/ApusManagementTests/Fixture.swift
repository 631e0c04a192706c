import ApusBroker
import ApusCrypto
import ApusLocks
import ApusMessage
import ApusResources
import HTTPTypes
import Testing

@testable import ApusManagement

/// The management API over a catalog in memory and a fake broker, without sockets; time stands still unless it is moved.
final class Fixture: Sendable {
    static let first = "post-cn-apus00001"
    static let second = "post-cn-apus00002"
    static let foreign = "post-cn-rival0001"
    static let admin = Key(id: "LTAIexampleAK", secret: "exampleSecret123")
    static let manager = Key(id: "LTAImanager", secret: "managerSecret123")
    static let data = Key(id: "LTAIdata", secret: "dataSecret123")
    static let rival = Key(id: "LTAIrival", secret: "rivalSecret123")

    struct Key: Sendable {
        var id: String
        var secret: String
    }

    /// An answer of either API.
    struct Answer {
        var status: Int
        var json: JSONValue
        var headers: HTTPFields = [:]

        var code: String? { json["Code"]?.string ?? json["error"]?["code"]?.string }
        var message: String { json["Message"]?.string ?? json["error"]?["message"]?.string ?? "" }
    }

    let manager: ResourceManager
    let broker = FakeBroker()
    let handler: APIHandler
    private let clock: TestClock
    private let nonces = Guarded(0)

    init(
        catalog: any Catalog = MemoryCatalog(),
        _ change: (inout ManagementConfiguration) -> Void = { _ in },
    ) throws {
        let clock = TestClock()
        self.clock = clock
        // The registration codes of instances come of it, and the certificates of the tests carry one.
        let secret = [UInt8](repeating: 7, count: 32)
        _ = try catalog.commit([.putServiceSecret(name: TokenSeal.secretName, secret)], audit: nil)
        manager = try ResourceManager(catalog: catalog) { clock.now }
        try Self.fill(manager)
        var configuration = ManagementConfiguration(port: 0)
        change(&configuration)
        let service = ManagementService(configuration: configuration, manager: manager, broker: broker) { clock.now }
        handler = APIHandler(service: service) { true }
    }

    /// Unix milliseconds; 2026-11-22T15:43:16Z at first.
    var now: Int64 {
        get { clock.now }
        set { clock.set(newValue) }
    }

    func number(_ id: String = Fixture.first) throws -> InstanceNumber {
        try #require(manager.directory.instance(id: id)).number
    }

    /// The last entry of the audit log.
    func lastAudit() throws -> AuditEntry? { try manager.audit(before: nil, limit: 1, instance: nil).first }

    private static func fill(_ manager: ResourceManager) throws {
        var changes: [CatalogChange] = []
        for (account, keys) in [("shop", [admin, manager_, data]), ("rival", [rival])] {
            changes.append(.putAccount(Account(name: account, createdAt: 1)))
            for key in keys {
                let rights: AccessKey.Rights =
                    key.id == admin.id ? .administrator : key.id == data.id ? .data : .manager
                changes.append(
                    .putAccessKey(
                        AccessKey(id: key.id, secret: key.secret, account: account, rights: rights, createdAt: 1)
                    )
                )
            }
        }
        for (id, account) in [(first, "shop"), (second, "shop"), (foreign, "rival")] {
            changes.append(.putInstance(Instance(id: id, account: account, profile: .apsaramq, createdAt: 1_000)))
        }
        try manager.change(changes, by: .local, action: "fill", instance: "", detail: "")
        changes = []
        for instance in manager.directory.instances {
            for topic in ["orders", "chat", "TopicA", "TopicB"] {
                changes.append(.putTopic(ParentTopic(instance: instance.number, name: topic, createdAt: 1)))
            }
            changes.append(
                .putGroup(Group(instance: instance.number, id: "GID_apus", createdAt: 1_000, updatedAt: 2_000))
            )
        }
        try manager.change(changes, by: .local, action: "fill", instance: "", detail: "")
    }

    private static var manager_: Key { manager }

    // MARK: - Calls

    /// A call of an action, signed in one of the two styles.
    func call(
        _ action: String,
        _ parameters: [String: String] = [:],
        key: Key = Fixture.admin,
        version: String = "2020-04-20",
        style: SignedText.Style = .acs3,
        inForm: Bool = false,
        method: HTTPRequest.Method = .post,
    ) async -> Answer {
        await send(
            request(action, parameters, key: key, version: version, style: style, inForm: inForm, method: method)
        )
    }

    /// The signed request of an action.
    func request(
        _ action: String,
        _ parameters: [String: String] = [:],
        key: Key = Fixture.admin,
        version: String = "2020-04-20",
        style: SignedText.Style = .acs3,
        inForm: Bool = false,
        method: HTTPRequest.Method = .post,
        time: Int64? = nil,
        nonce: String? = nil,
    ) -> APIRequest {
        let nonce =
            nonce
            ?? nonces.withLock { number in
                number += 1
                return "nonce-\(number)"
            }
        let stamp = UTCTime.text(time ?? now)
        if style == .rpc {
            return Signer.rpc(action, parameters, key, version: version, method: method, stamp, nonce, inForm: inForm)
        }
        return Signer.acs3(action, parameters, key, version: version, method: method, stamp, nonce, inForm: inForm)
    }

    func send(_ request: APIRequest) async -> Answer {
        let response = await handler.respond(to: request)
        let json = (try? JSONReader.read(response.body)) ?? .null
        return Answer(status: response.status.code, json: json, headers: response.headers)
    }

    /// A call of the REST API with HTTP Basic.
    func rest(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: JSONValue? = nil,
        key: Key? = Fixture.admin,
    ) async -> Answer {
        var headers: HTTPFields = [:]
        if let key { headers[.authorization] = "Basic " + Base64.encode(Array("\(key.id):\(key.secret)".utf8)) }
        if body != nil { headers[.contentType] = "application/json" }
        let request = APIRequest(
            method: method,
            target: "/api/v1\(path)",
            headers: headers,
            body: body.map { Array($0.text.utf8) } ?? [],
        )
        return await send(request)
    }
}

/// Time that moves only when it is told to.
final class TestClock: Sendable {
    private let time = Guarded(Int64(1_795_362_196_000))

    var now: Int64 { time.withLock { $0 } }

    func set(_ value: Int64) { time.withLock { $0 = value } }
}
