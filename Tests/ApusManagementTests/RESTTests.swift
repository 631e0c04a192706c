import ApusBroker
import ApusCrypto
import ApusLocks
import ApusMessage
import ApusResources
import HTTPTypes
import MQTTCodec
import Testing

@testable import ApusManagement

@Suite("The REST API")
struct RESTTests {
    private static let client = "GID_apus@@@device-0001"
    private let fixture: Fixture
    private let instance = "/instances/\(Fixture.first)"

    init() throws { fixture = try Fixture() }

    // MARK: - Who calls

    @Test func `without a key there is a way in to be seen`() async {
        let answer = await fixture.rest(.get, "/instances", key: nil)
        #expect(answer.status == 401)
        #expect(answer.code == "Unauthorized")
        #expect(answer.headers[.wwwAuthenticate]?.hasPrefix("Basic realm=") == true)
        #expect(answer.json["error"]?["requestId"]?.string?.count == 36)
    }

    @Test(arguments: [
        Fixture.Key(id: Fixture.admin.id, secret: "wrong"), Fixture.Key(id: "nobody", secret: "x"),
        Fixture.Key(id: "", secret: ""),
    ])
    func `a wrong key says no more than that`(key: Fixture.Key) async {
        let answer = await fixture.rest(.get, "/instances", key: key)
        #expect(answer.status == 401)
        #expect(answer.message == "the access key id or its secret is wrong")
    }

    /// Operations that each right opens; the least right of each is in the table that the API runs by.
    @Test(arguments: OperationTable.all.map(\.id))
    func `less than the least right is refused`(id: String) async throws {
        let operation = try #require(OperationTable.all.first { $0.id == id })
        let parts = ["{instance}": Fixture.first, "{type}": "USER", "{message}": String(repeating: "A", count: 32)]
        let path = operation.path.split(separator: "/").map { part in
            part.hasPrefix("{") ? parts[String(part)] ?? "GID_thing" : String(part)
        }.joined(separator: "/")
        // The whole audit log is for administrators only.
        let query = id == "listAudit" ? "?instance=\(Fixture.first)" : ""
        for (key, rank) in [(Fixture.data, 0), (Fixture.manager, 1)] {
            let answer = await fixture.rest(operation.method, "/\(path)\(query)", key: key)
            let needed = operation.rights?.rank ?? 0
            #expect((answer.code == "Forbidden") == (rank < needed), "\(answer.json.text)")
        }
        if operation.rights != nil {
            #expect(await fixture.rest(operation.method, "/\(path)", key: nil).status == 401)
        }
    }

    @Test func `keys of an account share the rate of an operation; other operations and accounts have their own`() async
    {
        for _ in 0..<RESTService.callsPerSecond {
            #expect(await fixture.rest(.get, "/instances", key: Fixture.manager).status == 200)
        }
        let answer = await fixture.rest(.get, "/instances", key: Fixture.data)
        #expect(answer.status == 429)
        #expect(answer.code == "Throttled")
        #expect(answer.headers[.retryAfter] == "1")
        #expect(answer.message.contains("1000 times a second"))
        #expect(await fixture.rest(.get, instance, key: Fixture.data).status == 200)
        #expect(await fixture.rest(.get, "/instances", key: Fixture.rival).status == 200)
        fixture.now += 1
        #expect(await fixture.rest(.get, "/instances", key: Fixture.data).status == 200)
    }

    @Test func `another account's instance is not there`() async {
        for path in ["", "/topics", "/clients", "/retained"] {
            let answer = await fixture.rest(.get, "/instances/\(Fixture.foreign)\(path)", key: Fixture.manager)
            #expect(answer.status == 404)
        }
        #expect(await fixture.rest(.get, "/instances/\(Fixture.foreign)").status == 200)
    }

    // MARK: - The form of requests

    @Test func `what is not there, and methods that are not`() async {
        #expect(await fixture.rest(.get, "/nothing").status == 404)
        #expect(await fixture.rest(.get, "").status == 404)
        #expect(await fixture.rest(.get, "/instances/").status == 404)
        let answer = await fixture.rest(.put, "/instances")
        #expect(answer.status == 405)
        #expect(answer.headers[.allow] == "GET, POST")
        let elsewhere = await fixture.send(APIRequest(method: .get, target: "/nowhere"))
        #expect(elsewhere.status == 404)
    }

    @Test(arguments: [
        ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("limit=01", "limit"),
        ("limit=1&limit=2", "limit"), ("nonsense=1", "nonsense"), ("limit=%", "limit"),
    ])
    func `queries are checked`(query: String, field: String) async {
        let answer = await fixture.rest(.get, "/instances?\(query)")
        #expect(answer.status == 400)
        #expect(answer.json["error"]?["field"] == .string(field))
    }

    @Test func `a cursor of another's making is refused`() async {
        #expect(await fixture.rest(.get, "/instances?after=zz").status == 400)
    }

    @Test(arguments: [
        ("{", "body"), ("[]", "body"), ("{}", "name"), (#"{"name":1}"#, "name"), (#"{"name":""}"#, "name"),
        (#"{"name":"a b"}"#, "name"), (#"{"name":"x","more":1}"#, "more"), (#"{"name":"x","name":"y"}"#, "body"),
        (#"{"name":"\u0000"}"#, "name"), (#"{"name":"x"}x"#, "body"),
    ])
    func `bodies are checked`(body: String, field: String) async {
        var request = APIRequest(method: .post, target: "/api/v1/accounts", body: Array(body.utf8))
        request.headers[.authorization] =
            "Basic " + Base64.encode(Array("\(Fixture.admin.id):\(Fixture.admin.secret)".utf8))
        request.headers[.contentType] = "application/json; charset=utf-8"
        let answer = await fixture.send(request)
        #expect(answer.status == 400)
        #expect(answer.json["error"]?["field"] == .string(field))
        request.headers[.contentType] = "text/plain"
        #expect(await fixture.send(request).status == 415)
    }

    // MARK: - Accounts and keys

    @Test func `accounts are made and deleted`() async {
        #expect(await fixture.rest(.post, "/accounts", ["name": "new"]).status == 201)
        let again = await fixture.rest(.post, "/accounts", ["name": "new"])
        #expect(again.status == 409 && again.code == "Exists")
        let listed = await fixture.rest(.get, "/accounts").json["items"]?.items?.map { $0["name"] }
        #expect(listed == ["new", "rival", "shop"])
        #expect(await fixture.rest(.delete, "/accounts/new").status == 204)
        #expect(await fixture.rest(.delete, "/accounts/new").status == 404)
        let inUse = await fixture.rest(.delete, "/accounts/rival")
        #expect(inUse.status == 409 && inUse.code == "InUse")
    }

    @Test func `a key's secret is shown once`() async throws {
        let made = await fixture.rest(.post, "/keys", ["account": "shop", "rights": "data"])
        #expect(made.status == 201)
        let id = try #require(made.json["id"]?.string)
        let secret = try #require(made.json["secret"]?.string)
        let key = Fixture.Key(id: id, secret: secret)
        #expect(await fixture.rest(.get, "/instances", key: key).status == 200)
        let shown = await fixture.rest(.get, "/keys/\(id)")
        #expect(shown.json["rights"] == "data" && shown.json["secret"] == nil)
        #expect(await !fixture.rest(.get, "/keys?account=shop").json.text.contains(secret))
        #expect(await fixture.rest(.patch, "/keys/\(id)", ["enabled": false]).json["enabled"] == false)
        #expect(await fixture.rest(.get, "/instances", key: key).status == 401)
        #expect(await fixture.rest(.delete, "/keys/\(id)").status == 204)
        #expect(await fixture.rest(.get, "/keys/\(id)").status == 404)
        let entries = try fixture.manager.audit(before: nil, limit: 99, instance: nil)
        #expect(entries.allSatisfy { !$0.detail.contains(secret) })
        #expect(entries.first?.action == "DELETE /keys/{key}")
    }

    @Test func `the last administrator's key stays`() async {
        #expect(await fixture.rest(.delete, "/keys/\(Fixture.admin.id)").code == "InUse")
        #expect(await fixture.rest(.post, "/keys", ["account": "none", "rights": "data"]).status == 404)
        let taken: JSONValue = ["account": "rival", "rights": "data", "id": .string(Fixture.admin.id)]
        #expect(await fixture.rest(.post, "/keys", taken).code == "Exists")
    }

    // MARK: - Instances

    @Test func `an instance is made, changed back and forth, and deleted`() async throws {
        let made = await fixture.rest(
            .post,
            "/instances",
            [
                "id": "new-instance", "account": "shop", "profile": "standard", "policies": ["onDenied": "close"],
                "limits": ["connections": 5],
            ],
        )
        #expect(made.status == 201)
        #expect(made.json["policies"]?["onDenied"] == "close" && made.json["policies"]?["p2p"] == false)
        #expect(made.json["policyOverrides"] == ["onDenied": "close"])
        #expect(made.json["limits"]?["connections"] == 5 && made.json["limitOverrides"] == ["connections": 5])
        let changed = await fixture.rest(
            .patch,
            "/instances/new-instance",
            ["policies": ["onDenied": .null, "maximumQoS": 1], "limits": ["connections": .null], "state": "stopped"],
        )
        #expect(changed.json["policyOverrides"] == ["maximumQoS": 1] && changed.json["limitOverrides"] == [:])
        #expect(changed.json["state"] == "stopped" && changed.json["name"] == "new-instance")
        #expect(await fixture.rest(.get, "/instances/new-instance").json == changed.json)
        let number = try fixture.number("new-instance")
        fixture.broker.content.withLock { $0.sessions[number] = [SessionDetails("c", isConnected: true)] }
        #expect(await fixture.rest(.delete, "/instances/new-instance").code == "InUse")
        #expect(await fixture.rest(.delete, "/instances/new-instance?force=true").status == 204)
        #expect(await fixture.rest(.get, "/instances/new-instance").status == 404)
    }

    @Test(
        arguments: [
            (["id": "x", "account": "shop"], 400), (["id": "abc", "account": "none"], 404),
            (["id": "POST-CN-APUS00001", "account": "shop"], 409),
            (["id": "abc", "account": "shop", "profile": "other"], 400),
            (["id": "abc", "account": "shop", "limits": ["connections": -1]], 400),
            (["id": "abc", "account": "shop", "limits": ["nonsense": 1]], 400),
            (["id": "abc", "account": "shop", "policies": ["maximumQoS": 3]], 400),
        ] as [(JSONValue, Int)]
    )
    func `bad instances are refused`(body: JSONValue, status: Int) async {
        #expect(await fixture.rest(.post, "/instances", body).status == status)
    }

    @Test func `instances come in pages`() async throws {
        let first = await fixture.rest(.get, "/instances?limit=2")
        #expect(first.json["items"]?.items?.count == 2)
        let next = try #require(first.json["next"]?.string)
        let second = await fixture.rest(.get, "/instances?limit=2&after=\(next)")
        #expect(second.json["items"]?.items?.map { $0["id"] } == [.string(Fixture.foreign)])
        #expect(second.json["next"] == nil)
    }

    // MARK: - Topics and groups

    @Test func `parent topics are made up to the limit, which is named`() async {
        for number in 0..<21 {
            #expect(await fixture.rest(.post, "\(instance)/topics", ["name": .string("topic\(number)")]).status == 201)
        }
        let over = await fixture.rest(.post, "\(instance)/topics", ["name": "one-more"])
        #expect(over.status == 409 && over.code == "OverLimit")
        #expect(over.json["error"]?["limit"] == "parentTopics")
        #expect(await fixture.rest(.post, "\(instance)/topics", ["name": "orders"]).code == "Exists")
        #expect(await fixture.rest(.post, "\(instance)/topics", ["name": "ORDERS"]).status == 409)
        #expect(await fixture.rest(.delete, "\(instance)/topics/orders").status == 204)
        #expect(await fixture.rest(.delete, "\(instance)/topics/orders").status == 404)
    }

    @Test func `groups are made and deleted`() async {
        #expect(await fixture.rest(.post, "\(instance)/groups", ["id": "GID_new"]).status == 201)
        #expect(await fixture.rest(.post, "\(instance)/groups", ["id": "GID_new"]).code == "Exists")
        #expect(await fixture.rest(.post, "\(instance)/groups", ["id": "new-group"]).status == 400)
        #expect(await fixture.rest(.get, "\(instance)/groups").json["items"]?.items?.count == 2)
        #expect(await fixture.rest(.delete, "\(instance)/groups/GID_new").status == 204)
        #expect(await fixture.rest(.delete, "\(instance)/groups/GID_new").status == 404)
    }

    // MARK: - Credentials, tokens, custom authentication

    @Test func `credentials are kept by client id`() async throws {
        let path = "\(instance)/credentials/GID_apus%40%40%40device-0001"
        #expect(await fixture.rest(.get, path).status == 404)
        let made = await fixture.rest(.post, "\(instance)/credentials", ["clientId": .string(Self.client)])
        #expect(made.status == 201)
        #expect(await fixture.rest(.get, path).json == made.json)
        let listed = await fixture.rest(.get, "\(instance)/credentials?group=GID_apus").json["items"]?.items
        #expect(listed?.count == 1 && listed?.first?["accessKeySecret"] == nil)
        let refreshed = await fixture.rest(.post, "\(path)/refresh")
        #expect(refreshed.status == 200 && refreshed.json["accessKeySecret"] != made.json["accessKeySecret"])
        #expect(await fixture.rest(.delete, path).status == 204)
        #expect(await fixture.rest(.post, "\(path)/refresh").status == 404)
        let bad = await fixture.rest(.post, "\(instance)/credentials", ["clientId": "device"])
        #expect(bad.status == 422 && bad.json["error"]?["field"] == "clientId")
    }

    @Test func `tokens are issued, looked into and revoked`() async throws {
        let wish: JSONValue = [
            "actions": "R,W", "resources": ["orders/#", "chat"], "expiresAt": .integer(fixture.now + 60_000),
        ]
        let issued = await fixture.rest(.post, "\(instance)/tokens", wish)
        #expect(issued.status == 201 && issued.json["type"] == "RW")
        let token: JSONValue = ["token": .string(try #require(issued.json["token"]?.string))]
        let found = await fixture.rest(.post, "\(instance)/tokens/query", token)
        #expect(found.json["valid"] == true && found.json["actions"] == "R,W" && found.json["reason"] == nil)
        #expect(found.json["resources"] == ["orders/#", "chat"])
        #expect(await fixture.rest(.post, "\(instance)/tokens/revoke", token).status == 204)
        let after = await fixture.rest(.post, "\(instance)/tokens/query", token)
        #expect(after.json["valid"] == false && after.json["reason"] == "it was revoked")
        let forged = await fixture.rest(.post, "\(instance)/tokens/query", ["token": "x"])
        #expect(forged.json["valid"] == false)
        #expect(await fixture.rest(.post, "\(instance)/tokens/revoke", ["token": "x"]).status == 422)
        #expect(await fixture.rest(.post, "\(instance)/tokens", wish.adding(["more": 1])).status == 400)
        let short: JSONValue = ["actions": "R", "resources": ["orders"], "expiresAt": .integer(fixture.now)]
        let refused = await fixture.rest(.post, "\(instance)/tokens", short)
        #expect(refused.status == 422 && refused.json["error"]?["field"] == "expiresAt")
    }

    @Test func `custom authentication has its three stores`() async {
        let identity: JSONValue = ["type": "USER", "userName": "u1", "secret": "s", "signMode": "ORIGIN"]
        #expect(await fixture.rest(.put, "\(instance)/identities", identity).json == identity)
        #expect(await fixture.rest(.get, "\(instance)/identities").json["items"] == [identity])
        #expect(await fixture.rest(.delete, "\(instance)/identities/u1?clientId=x").status == 404)
        #expect(await fixture.rest(.delete, "\(instance)/identities/u1").status == 204)
        let permission: JSONValue = [
            "type": "USER", "identity": "u1", "topic": "orders/#", "action": "PUB", "effect": "ALLOW",
        ]
        #expect(await fixture.rest(.put, "\(instance)/permissions", permission).json == permission)
        #expect(await fixture.rest(.get, "\(instance)/permissions").json["items"] == [permission])
        let path = "\(instance)/permissions/USER/u1/orders%2F%23"
        #expect(await fixture.rest(.delete, path).status == 204)
        #expect(await fixture.rest(.delete, path).status == 404)
        #expect(await fixture.rest(.put, "\(instance)/bans/c1").status == 204)
        #expect(await fixture.rest(.get, "\(instance)/bans").json["items"] == [["clientId": "c1"]])
        #expect(await fixture.rest(.delete, "\(instance)/bans/c1").status == 204)
        #expect(await fixture.rest(.delete, "\(instance)/bans/c1").status == 404)
    }

    // MARK: - Audit and documents

    @Test func `the audit log is read backwards, by managers of their instances only`() async throws {
        for name in ["one", "two", "three"] {
            _ = await fixture.rest(.post, "\(instance)/topics", ["name": .string(name)], key: Fixture.manager)
        }
        let first = await fixture.rest(.get, "/audit?limit=2&instance=\(Fixture.first)", key: Fixture.manager)
        #expect(first.json["items"]?.items?.map { $0["detail"] } == ["topic three", "topic two"])
        #expect(first.json["items"]?.items?.first?["actor"] == .string(Fixture.manager.id))
        let next = try #require(first.json["next"]?.string)
        let second = await fixture.rest(.get, "/audit?limit=2&instance=\(Fixture.first)&before=\(next)")
        #expect(second.json["items"]?.items?.map { $0["detail"] } == ["topic one"])
        #expect(await fixture.rest(.get, "/audit", key: Fixture.manager).status == 403)
        let foreign = await fixture.rest(.get, "/audit?instance=\(Fixture.foreign)", key: Fixture.manager)
        #expect(foreign.status == 404)
    }

    @Test func `a resources document is tried, applied, and has nothing to do then`() async throws {
        let document = try JSONReader.read(
            Array(#"{"instances":[{"id":"new-one","account":"shop","topics":["orders"],"groups":["GID_one"]}]}"#.utf8)
        )
        let tried = await fixture.rest(.post, "/apply?dryRun=true", document)
        #expect(tried.status == 200 && tried.json["applied"] == false)
        #expect(tried.json["lines"]?.items?.isEmpty == false)
        #expect(fixture.manager.directory.instance(id: "new-one") == nil)
        #expect(await fixture.rest(.post, "/apply", document).json["lines"] == tried.json["lines"])
        #expect(fixture.manager.directory.instance(id: "new-one") != nil)
        #expect(await fixture.rest(.post, "/apply", document).json["changes"] == 0)
        #expect(await fixture.rest(.get, "/export").json["instances"]?.items?.count == 4)
    }

    @Test(arguments: [
        (#"{"instances":[{"id":"new-one","account":"shop","topic":["orders"]}]}"#, "instances[0].topic"),
        (#"{"instances":[{"id":"new-one","account":"shop","topics":["or/ders"]}]}"#, "instances[0].topics[0]"),
        (
            #"{"instances":[{"id":"new-one","account":"shop","limits":{"connections":-1}}]}"#,
            "instances[0].limits.connections"
        ),
        (#"{"instances":[{"id":"new-one","account":"shop","profile":"other"}]}"#, "instances[0].profile"),
        (#"{"nonsense":[]}"#, "nonsense"),
    ])
    func `a document that breaks a rule is refused, with the place`(text: String, field: String) async throws {
        let answer = await fixture.rest(.post, "/apply", try JSONReader.read(Array(text.utf8)))
        #expect(answer.status == 400)
        #expect(answer.json["error"]?["field"]?.string == field)
    }

    /// Documents, statuses, and the fields of all problems.
    @Test(arguments: [
        (
            #"{"instances":[{"id":"new-one","account":"shop","topics":["one","or/ders","one"]},{"id":"no"}]}"#, 400,
            ["instances[1].account", "instances[0].topics[2]", "instances[0].topics[1]", "instances[1].id"]
        ),
        (
            #"{"instances":[{"id":"new-one","account":"labb","topics":["one","one"]}]}"#, 422,
            ["instances[0].topics[1]", "instances[0].account"]
        ),
        (#"{"instances":[{"id":"new-one","account":"labb"}]}"#, 404, ["instances[0].account"]), ("[]", 400, ["body"]),
    ])
    func `all problems of a document are in the answer`(text: String, status: Int, fields: [String]) async throws {
        let answer = await fixture.rest(.post, "/apply", try JSONReader.read(Array(text.utf8)))
        #expect(answer.status == status)
        #expect(answer.json["error"]?["field"]?.string == fields[0])
        #expect(answer.json["error"]?["problems"]?.items?.compactMap { $0["field"]?.string } == fields)
        #expect(fixture.manager.directory.instance(id: "new-one") == nil)
    }

    @Test func `an instance tells its live connections`() async throws {
        #expect(await fixture.rest(.get, instance).json["connections"] == 0)
        let number = try fixture.number()
        fixture.broker.content.withLock { content in
            content.sessions[number] = [
                SessionDetails(Self.client, isConnected: true), SessionDetails("away", isConnected: false),
            ]
        }
        #expect(await fixture.rest(.get, instance).json["connections"] == 1)
    }

    @Test func `a document over a limit is refused whole, naming the limit`() async throws {
        let topics = (0..<26).map { "\"topic\($0)\"" }.joined(separator: ",")
        let text = #"{"instances":[{"id":"new-one","account":"shop","topics":[\#(topics)]}]}"#
        let answer = await fixture.rest(.post, "/apply", try JSONReader.read(Array(text.utf8)))
        #expect(answer.status == 409 && answer.message.contains("parentTopics"))
        #expect(fixture.manager.directory.instance(id: "new-one") == nil)
    }

    @Test func `an export is applied without a change`() async {
        let export = await fixture.rest(.get, "/export")
        #expect(await fixture.rest(.post, "/apply", export.json).json["changes"] == 0)
    }

    @Test(
        arguments: [
            (
                "PUT", "identities", ["type": "CLIENT", "userName": "u", "secret": "s", "signMode": "ORIGIN"],
                "clientId"
            ),
            (
                "PUT", "identities",
                ["type": "USER", "userName": "a|b", "secret": "s", "signMode": "ORIGIN"], "userName"
            ),
            (
                "PUT", "permissions",
                [
                    "type": "USER", "identity": .string(String(repeating: "i", count: 65)), "topic": "orders/x",
                    "action": "PUB", "effect": "ALLOW",
                ], "identity"
            ),
            (
                "PUT", "permissions",
                [
                    "type": "USER", "identity": "i", "topic": .string("orders/" + String(repeating: "t", count: 58)),
                    "action": "PUB", "effect": "ALLOW",
                ], "topic"
            ),
            ("POST", "topics", ["name": "a\u{0}b"], "name"),
        ] as [(String, String, JSONValue, String)]
    )
    func `a refusal names the member that is wrong`(method: String, path: String, body: JSONValue, field: String) async
    {
        let verb: HTTPRequest.Method = method == "PUT" ? .put : .post
        let answer = await fixture.rest(verb, "\(instance)/\(path)", body)
        #expect([400, 422].contains(answer.status), "\(answer)")
        #expect(answer.json["error"]?["field"]?.string == field)
    }

    @Test func `a permission on the longest P2P topic is possible`() async {
        let parent = String(repeating: "p", count: 64)
        #expect(await fixture.rest(.post, "\(instance)/topics", ["name": .string(parent)]).status == 201)
        let topic = "\(parent)/p2p/GID_apus@@@" + String(repeating: "d", count: 53)
        let permission: JSONValue = [
            "type": "USER", "identity": "u", "topic": .string(topic), "action": "PUB", "effect": "ALLOW",
        ]
        #expect(await fixture.rest(.put, "\(instance)/permissions", permission).status == 200)
    }

    @Test func `a limit below what there is is refused, and the export can be applied`() async {
        let refused = await fixture.rest(.patch, instance, ["limits": ["parentTopics": 1]])
        #expect(refused.status == 409 && refused.json["error"]?["limit"] == "parentTopics")
        let document = await fixture.rest(.get, "/export").json
        let applied = await fixture.rest(.post, "/apply", document)
        #expect(applied.status == 200 && applied.json["changes"] == 0)
    }
}
