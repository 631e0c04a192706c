import ApusBroker
import ApusLocks
import ApusMessage
import ApusResources
import HTTPTypes
import MQTTCodec
import Testing

@testable import ApusManagement

@Suite("What actions do")
struct ActionBehaviourTests {
    private static let client = "GID_apus@@@device-0001"
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func call(
        _ action: String,
        _ parameters: [String: String] = [:],
        version: String = "2020-04-20",
    ) async -> Fixture.Answer {
        var parameters = parameters
        parameters["InstanceId"] = parameters["InstanceId"] ?? Fixture.first
        return await fixture.call(action, parameters, version: version)
    }

    // MARK: - The envelope

    @Test func `an answer has a request id, and so has a refusal, with the host and a sentence`() async throws {
        let answer = await fixture.call("ListInstances")
        let id = try #require(answer.json["RequestId"]?.string)
        #expect(id.wholeMatch(of: /[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}/) != nil)
        let refusal = await fixture.call("NoSuchAction")
        #expect(refusal.json.members?.map(\.name) == ["RequestId", "HostId", "Code", "Message"])
        #expect(refusal.json["RequestId"] != answer.json["RequestId"])
    }

    @Test(arguments: [
        ("NoSuchAction", "2020-04-20", 404, "ApiNotSupport"), ("BatchSendMessages", "2020-04-20", 404, "ApiNotSupport"),
        ("ListInstances", "2019-12-11", 404, "ApiNotSupport"), ("ListInstances", "1999-01-01", 400, "InvalidVersion"),
        ("listinstances", "2020-04-20", 404, "ApiNotSupport"), ("", "2020-04-20", 400, "MissingParameter"),
    ])
    func `an action that is not there is refused`(action: String, version: String, status: Int, code: String) async {
        for style in [SignedText.Style.acs3, .rpc] {
            let answer = await fixture.call(action, version: version, style: style)
            #expect(answer.status == status)
            #expect(answer.code == code)
        }
    }

    @Test func `a parameter in query and form counts as twice`() async {
        var request = fixture.request("ListGroupId", ["InstanceId": Fixture.first], style: .rpc, inForm: true)
        request.query += "&InstanceId=\(Fixture.first)"
        let answer = await fixture.send(request)
        #expect(answer.status == 400)
        #expect(answer.code == "InvalidParameter.InstanceId")
        #expect(answer.message.contains("twice"))
    }

    @Test(arguments: ["a=%", "a=%4", "a=%zz", "a=%ff", "%80=1"])
    func `a query that is not percent-encoded UTF-8 is refused`(query: String) async {
        var request = fixture.request("ListInstances")
        request.query = query
        let answer = await fixture.send(request)
        #expect(answer.status == 400)
        #expect(answer.code == "InvalidParameter")
    }

    @Test func `a body of another type is refused`() async {
        var request = fixture.request("ListInstances", style: .rpc)
        request.body = Array("{}".utf8)
        request.headers[.contentType] = "application/json"
        #expect(await fixture.send(request).status == 415)
    }

    @Test(arguments: ["xml", "XML"]) func `answers are JSON only`(format: String) async {
        let answer = await fixture.call("ListInstances", ["Format": format], style: .acs3)
        #expect(answer.code == "InvalidParameter.Format")
    }

    @Test func `other methods are refused`() async {
        var request = fixture.request("ListInstances")
        request.method = .delete
        #expect(await fixture.send(request).status == 405)
    }

    // MARK: - Throttling

    @Test func `an account that is too fast is told so, by action, until a second has passed`() async throws {
        let token = try fixture.manager.issueToken(
            fixture.number(),
            accessKeyID: Fixture.admin.id,
            mayRead: true,
            mayWrite: false,
            resources: ["orders"],
            expiresAt: fixture.now + 60_000,
        )
        for _ in 0..<5 { #expect(await call("RevokeToken", ["Token": token]).status == 200) }
        let answer = await call("RevokeToken", ["Token": token])
        #expect(answer.status == 400)
        #expect(answer.code == "ApplyTokenOverFlow")
        #expect(answer.headers[.init("x-acs-retry-after")!] == "1")
        #expect(answer.message.contains("5 times a second"))
        #expect(await call("QueryToken", ["Token": token]).status == 200)
        fixture.now += 200
        #expect(await call("RevokeToken", ["Token": token]).status == 200)
        #expect(await call("RevokeToken", ["Token": token]).status == 400)
    }

    @Test func `keys of an account share its rate, other accounts do not`() async {
        let client = ["InstanceId": Fixture.first, "ClientIdList.1": "x"]
        for _ in 0..<100 { _ = await fixture.call("BatchQuerySessionByClientIds", client) }
        let answer = await fixture.call("BatchQuerySessionByClientIds", client, key: Fixture.data)
        #expect(answer.status == 500)
        #expect(answer.code == "SystemOverFlow")
        let other = ["InstanceId": Fixture.foreign, "ClientIdList.1": "x"]
        #expect(await fixture.call("BatchQuerySessionByClientIds", other, key: Fixture.rival).status == 200)
    }

    @Test(arguments: [
        ("ApplyToken", 100), ("QueryToken", 100), ("RevokeToken", 5), ("SendMessage", 1_000),
        ("BatchQuerySessionByClientIds", 100), ("QuerySessionByClientId", 500), ("RegisterDeviceCredential", 500),
        ("QueryMqttTraceDevice", 500), ("GetCaCertificate", 500),
    ])
    func `rates are the documented ones`(action: String, rate: Int) {
        #expect(ActionTable.action(action, .v2020)?.rate == rate)
    }

    @Test func `without throttling there is no rate`() async throws {
        let fixture = try Fixture { $0.isThrottled = false }
        let parameters = ["InstanceId": Fixture.first, "ClientIdList.1": "x"]
        for _ in 0..<150 {
            #expect(await fixture.call("BatchQuerySessionByClientIds", parameters).status == 200)
        }
    }

    // MARK: - Groups

    @Test func `a group is made once, listed, and deleted once`() async throws {
        #expect(await call("CreateGroupId", ["GroupId": "GID_new"]).status == 200)
        let again = await call("CreateGroupId", ["GroupId": "GID_new"])
        #expect(again.code == "GroupIdAlreadyExsited")
        let entry = try fixture.lastAudit()
        #expect(entry?.outcome == "GroupIdAlreadyExsited" && entry?.detail == "GroupId=GID_new")
        let listed = await call("ListGroupId").json["Data"]?.items?.compactMap { $0["GroupId"]?.string }
        #expect(Set(listed ?? []) == ["GID_apus", "GID_new"])
        #expect(await call("DeleteGroupId", ["GroupId": "GID_new"]).status == 200)
        #expect(await call("DeleteGroupId", ["GroupId": "GID_new"]).code == "ParameterFieldCheckFailed")
    }

    @Test(arguments: [
        "GID_12", "GIDxxxxxxxxxx", "gid_apus1", "GID_a b", "GID_a/b", "GID_ä234", "GID_'; DROP TABLE", "GID_\0null",
        "../../etc/passwd", "GID_" + String(repeating: "x", count: 61),
    ])
    func `names of groups are checked`(id: String) async throws {
        let answer = await call("CreateGroupId", ["GroupId": id])
        #expect(answer.code == "ParameterFieldCheckFailed")
        #expect(answer.message.hasPrefix("GroupId:"))
        #expect(try fixture.manager.directory.groups(of: fixture.number()).count == 1)
    }

    @Test func `a group that is not there is not found in an instance that is not there`() async {
        let answer = await call("ListGroupId", ["InstanceId": "post-cn-nowhere"])
        #expect(answer.code == "InstanceNotFound")
    }

    @Test func `groups are made with tags, and listed by them`() async {
        let tags = #"[{"Key":"stage","Value":"test"}]"#
        #expect(await call("CreateGroupId", ["GroupId": "GID_new", "Tags": tags]).status == 200)
        let listed = await call("ListGroupId", ["Tags": tags]).json["Data"]?.items
        #expect(listed?.compactMap { $0["GroupId"]?.string } == ["GID_new"])
        #expect(listed?.first?["Tags"] == [["TagKey": "stage", "TagValue": "test"]])
        #expect(await call("ListGroupId", ["Tags": "stage"]).code == "ParameterFieldCheckFailed")
    }

    // MARK: - Tags

    @Test func `tags are bound, found, and unbound`() async {
        let tag = ["ResourceType": "INSTANCE", "ResourceId.1": Fixture.first, "ResourceId.2": Fixture.second]
        let bound = await fixture.call(
            "TagResources",
            tag.merging(["Tag.1.Key": "stage", "Tag.1.Value": "test", "Tag.2.Key": "team"]) { $1 },
        )
        #expect(bound.json["Data"] == true)
        let all = await fixture.call("ListTagResources", ["ResourceType": "INSTANCE"])
        #expect(all.json["TagResources"]?.items?.count == 4)
        let some = await fixture.call(
            "ListTagResources",
            ["ResourceType": "INSTANCE", "ResourceId.1": Fixture.first, "Tag.1.Key": "stage", "Tag.1.Value": "test"],
        )
        #expect(
            some.json["TagResources"]
                == [
                    [
                        "ResourceId": .string(Fixture.first), "ResourceType": "INSTANCE", "TagKey": "stage",
                        "TagValue": "test",
                    ]
                ]
        )
        _ = await fixture.call("UntagResources", tag.merging(["TagKey.1": "stage"]) { $1 })
        let left = await fixture.call("ListTagResources", ["ResourceType": "INSTANCE"])
        #expect(left.json["TagResources"]?.items?.compactMap { $0["TagKey"]?.string } == ["team", "team"])
        _ = await fixture.call("UntagResources", tag.merging(["All": "True"]) { $1 })
        #expect(await fixture.call("ListTagResources", ["ResourceType": "INSTANCE"]).json["TagResources"] == [])
    }

    @Test func `groups of one name in two instances need the instance's name before them`() async {
        let tag = ["ResourceType": "GROUP", "Tag.1.Key": "k"]
        let ambiguous = await fixture.call("TagResources", tag.merging(["ResourceId.1": "GID_apus"]) { $1 })
        #expect(ambiguous.code == "InvalidParameter.ResourceId")
        #expect(ambiguous.message.contains("<instance>/<name>"))
        let name = "\(Fixture.first)/GID_apus"
        #expect(await fixture.call("TagResources", tag.merging(["ResourceId.1": name]) { $1 }).status == 200)
        let foreign = "\(Fixture.foreign)/GID_apus"
        let refused = await fixture.call(
            "TagResources",
            tag.merging(["ResourceId.1": foreign]) { $1 },
            key: Fixture.manager,
        )
        #expect(refused.code == "InvalidParameter.ResourceId")
    }

    @Test(arguments: [
        ["ResourceId.2": "x"], ["ResourceId.x": "x"], ["ResourceId.0": "x"],
        ["ResourceId.1": Fixture.first, "ResourceId.3": Fixture.second],
    ])
    func `lists are numbered from one without a gap`(list: [String: String]) async {
        let tag = ["ResourceType": "INSTANCE", "Tag.1.Key": "k"]
        let answer = await fixture.call("TagResources", tag.merging(list) { $1 })
        #expect(answer.status == 400)
        #expect(answer.code?.hasPrefix("InvalidParameter.ResourceId") == true)
    }

    // MARK: - Tokens

    @Test(arguments: ["R", "W", "R,W"]) func `tokens are issued, found and revoked`(actions: String) async throws {
        let issued = await call(
            "ApplyToken",
            ["Actions": actions, "ExpireTime": "\(fixture.now + 60_000)", "Resources": "TopicA/#,TopicB"],
        )
        let text = try #require(issued.json["Token"]?.string)
        let token = try #require(fixture.manager.seal.open(text))
        #expect(token.mayRead == actions.contains("R") && token.mayWrite == actions.contains("W"))
        #expect(token.resources == ["TopicA/#", "TopicB"])
        #expect(await call("QueryToken", ["Token": text]).json["TokenStatus"] == true)
        let elsewhere = await call("QueryToken", ["Token": text, "InstanceId": Fixture.second])
        #expect(elsewhere.json["TokenStatus"] == false)
        #expect(await call("RevokeToken", ["Token": text]).status == 200)
        #expect(await call("QueryToken", ["Token": text]).json["TokenStatus"] == false)
        #expect(try fixture.lastAudit()?.detail.contains(text) == false)
    }

    @Test func `a token ends with its time, or with the key that issued it`() async throws {
        func issue() async throws -> String {
            let answer = await fixture.call(
                "ApplyToken",
                [
                    "InstanceId": Fixture.first, "Actions": "R", "ExpireTime": "\(fixture.now + 60_000)",
                    "Resources": "orders",
                ],
                key: Fixture.manager,
            )
            return try #require(answer.json["Token"]?.string)
        }
        let first = try await issue()
        fixture.now += 60_000
        #expect(await call("QueryToken", ["Token": first]).json["TokenStatus"] == false)
        let second = try await issue()
        try fixture.manager.change(
            [.deleteAccessKey(id: Fixture.manager.id)],
            by: .local,
            action: "x",
            instance: "",
            detail: "",
        )
        #expect(await call("QueryToken", ["Token": second]).json["TokenStatus"] == false)
    }

    @Test(arguments: [
        ["Actions": "X"], ["Actions": "R,R"], ["Actions": "R,W,X"], ["Actions": "RW"], ["Actions": ""],
        ["ExpireTime": "0"], ["ExpireTime": "-1"], ["ExpireTime": "soon"], ["ExpireTime": "1795362255999"],
        ["Resources": ""], ["Resources": "orders,,chat"], ["Resources": "orders/#/a"],
        ["Resources": Array(repeating: "orders", count: 101).joined(separator: ",")],
    ])
    func `bad wishes for tokens are refused by name`(change: [String: String]) async throws {
        let good = ["Actions": "R", "ExpireTime": "\(fixture.now + 3_600_000)", "Resources": "orders/#"]
        let answer = await call("ApplyToken", good.merging(change) { $1 })
        #expect(answer.status == 400)
        #expect(answer.code == "ParameterCheckFailed")
        #expect(answer.message.hasPrefix("\(try #require(change.keys.first)):"))
    }

    @Test func `a token for a parent topic that does not exist is not permitted`() async {
        let wish = ["Actions": "R", "ExpireTime": "\(fixture.now + 3_600_000)", "Resources": "nowhere/#"]
        let answer = await call("ApplyToken", wish)
        #expect(answer.code == "PermissionCheckFailed")
        #expect(answer.message.contains("'nowhere'"))
    }

    @Test func `a token of years works for thirty days`() async throws {
        let answer = await call("ApplyToken", ["Actions": "R", "ExpireTime": "4000000000000", "Resources": "orders"])
        let token = try #require(answer.json["Token"]?.string.flatMap(fixture.manager.seal.open))
        #expect(token.expiresAt == fixture.now + 30 * 86_400_000)
    }

    @Test func `a text that is no token cannot be revoked`() async {
        #expect(await call("RevokeToken", ["Token": "x"]).code == "ParameterCheckFailed")
    }

    // MARK: - Credentials

    @Test func `a device has one credential, which is replaced`() async throws {
        let made = await call("RegisterDeviceCredential", ["ClientId": Self.client]).json["DeviceCredential"]
        #expect(made?["DeviceAccessKeyId"]?.string?.hasPrefix("DC.") == true)
        #expect(made?["DeviceAccessKeySecret"]?.string?.hasPrefix("DC.") == true)
        #expect(await call("GetDeviceCredential", ["ClientId": Self.client]).json["DeviceCredential"] == made)
        fixture.now += 1_000
        let again = await call("RefreshDeviceCredential", ["ClientId": Self.client]).json["DeviceCredential"]
        #expect(again?["DeviceAccessKeyId"] != made?["DeviceAccessKeyId"])
        #expect(again?["CreateTime"] == made?["CreateTime"] && again?["UpdateTime"] != made?["UpdateTime"])
        #expect(try fixture.lastAudit()?.action == "RefreshDeviceCredential")
        #expect(await call("UnRegisterDeviceCredential", ["ClientId": Self.client]).status == 200)
        for action in ["GetDeviceCredential", "RefreshDeviceCredential", "UnRegisterDeviceCredential"] {
            #expect(await call(action, ["ClientId": Self.client]).code == "ParameterCheckFailed")
        }
    }

    @Test(arguments: [
        "device", "GID_apus@@device", "GID_none@@@device", "GID_apus@@@", "GID_apus@@@a b", "GID_apus@@@\0",
        "GID_apus@@@" + String(repeating: "x", count: 54),
    ])
    func `a credential needs a group and a device`(clientID: String) async {
        let answer = await call("RegisterDeviceCredential", ["ClientId": clientID])
        #expect(answer.code == "ParameterCheckFailed")
        #expect(answer.message.hasPrefix("ClientId:"))
    }

    @Test func `client ids with credentials come in pages, by cursor or by number`() async throws {
        let wanted = (0..<5).map { "GID_apus@@@\($0)" }
        for clientID in wanted { _ = await call("RegisterDeviceCredential", ["ClientId": clientID]) }
        var found: [String] = []
        var token = ""
        repeat {
            let page = await call(
                "ListDeviceCredentialClientId",
                ["GroupId": "GID_apus", "PageSize": "2", "NextToken": token],
            ).json["DeviceCredentialClientIdList"]
            #expect(page?["Total"] == "5")
            found += page?["ClientIdList"]?.items?.compactMap(\.string) ?? []
            token = try #require(page?["NextToken"]?.string)
        } while !token.isEmpty
        #expect(found == wanted)
        let second = await call(
            "ListDeviceCredentialClientId",
            ["GroupId": "GID_apus", "PageSize": "2", "PageNo": "2"],
        ).json["DeviceCredentialClientIdList"]
        #expect(second?["ClientIdList"] == [.string(wanted[2]), .string(wanted[3])])
        let beyond = await call(
            "ListDeviceCredentialClientId",
            ["GroupId": "GID_apus", "PageSize": "2", "PageNo": "9"],
        ).json["DeviceCredentialClientIdList"]
        #expect(beyond?["ClientIdList"] == [])
    }

    // MARK: - Clients

    @Test func `who is online is said in the order of the question`() async throws {
        try connect(Self.client)
        let list = ["ClientIdList.1": "nobody", "ClientIdList.2": Self.client]
        let answer = await call("BatchQuerySessionByClientIds", list)
        #expect(
            answer.json["OnlineStatusList"]
                == [
                    ["ClientId": "nobody", "OnlineStatus": false],
                    ["ClientId": .string(Self.client), "OnlineStatus": true],
                ]
        )
        #expect(await call("QuerySessionByClientId", ["ClientId": Self.client]).json["OnlineStatus"] == true)
        let other = await call("QuerySessionByClientId", ["ClientId": Self.client, "InstanceId": Fixture.second])
        #expect(other.json["OnlineStatus"] == false)
    }

    @Test func `ten clients may be asked for, eleven not`() async {
        var list: [String: String] = [:]
        for number in 1...10 { list["ClientIdList.\(number)"] = "x\(number)" }
        #expect(await call("BatchQuerySessionByClientIds", list).status == 200)
        list["ClientIdList.11"] = "x11"
        #expect(await call("BatchQuerySessionByClientIds", list).code == "ParameterCheckFailed")
    }

    @Test func `a connection is closed, of one that is there`() async throws {
        try connect(Self.client)
        #expect(await call("CloseConnection", ["ClientId": Self.client]).json["Success"] == true)
        #expect(fixture.broker.content.withLock { $0.disconnected.count } == 1)
        #expect(await call("CloseConnection", ["ClientId": Self.client]).code == "InvalidParameter.ClientId")
    }

    private func connect(_ clientID: String) throws {
        let number = try fixture.number()
        fixture.broker.content.withLock { $0.sessions[number] = [SessionDetails(clientID, isConnected: true)] }
    }

    // MARK: - Messages

    @Test func `a message is sent as it is, with QoS 1 and clean`() async throws {
        let answer = await call("SendMessage", ["MqttTopic": "chat/a/b/c", "Payload": "ä & +%26"])
        let message = try #require(fixture.broker.content.withLock { $0.published.first })
        #expect(answer.json["MsgId"]?.string?.count == 32)
        #expect(message.topic == "chat/a/b/c" && message.payload == Array("ä & +%26".utf8))
        #expect(message.qos == .atLeastOnce && message.isCleanSession && !message.retain)
        #expect(try message.instance == fixture.number())
        #expect(message.sender == "api/\(Fixture.admin.id)")
    }

    @Test func `an empty payload is a payload`() async {
        #expect(await call("SendMessage", ["MqttTopic": "chat/a", "Payload": ""]).status == 200)
        #expect(await call("SendMessage", ["MqttTopic": "chat/a"]).code == "ParameterCheckFailed")
    }

    @Test func `of a P2P topic only the parent counts towards its length`() async {
        let topic = "orders/p2p/\(String(repeating: "x", count: 64))"
        #expect(await call("SendMessage", ["MqttTopic": topic, "Payload": "x"]).status == 200)
    }

    @Test(arguments: [
        ("nowhere", "PermissionCheckFailed"), ("nowhere/x", "PermissionCheckFailed"), ("/x", "PermissionCheckFailed"),
        ("chat/#", "ParameterCheckFailed"), ("chat/+", "ParameterCheckFailed"), ("", "ParameterCheckFailed"),
        ("$SYS/x", "ParameterCheckFailed"), ("chat/\0", "ParameterCheckFailed"),
        // For a string these are other characters than `#`, `+` and `$`; for a device they are not.
        ("chat/#\u{FE0F}\u{20E3}", "ParameterCheckFailed"), ("chat/+\u{301}", "ParameterCheckFailed"),
        ("$\u{301}/x", "ParameterCheckFailed"),
        ("chat/" + String(repeating: "x", count: 60), "ParameterCheckFailed"), ("Chat", "PermissionCheckFailed"),
    ])
    func `topics are checked`(topic: String, code: String) async {
        #expect(await call("SendMessage", ["MqttTopic": topic, "Payload": "x"]).code == code)
        #expect(fixture.broker.content.withLock { $0.published.isEmpty })
    }

    @Test func `a payload over the limit names the limit`() async {
        let payload = String(repeating: "x", count: 65_537)
        let answer = await call("SendMessage", ["MqttTopic": "chat/a", "Payload": payload])
        #expect(answer.code == "ParameterCheckFailed")
        #expect(answer.message.contains("payloadBytes"))
    }

    @Test func `a stopped instance takes no messages`() async throws {
        var instance = try #require(fixture.manager.directory.instance(id: Fixture.first))
        instance.state = .stopped
        try fixture.manager.change([.putInstance(instance)], by: .local, action: "x", instance: "", detail: "")
        let answer = await call("SendMessage", ["MqttTopic": "chat/a", "Payload": "x"])
        #expect(answer.status == 500)
        #expect(answer.message.contains("stopped"))
    }

    @Test func `what the broker refuses is not answered as sent`() async {
        fixture.broker.content.withLock { $0.outcome = .refused("the log is full") }
        let answer = await call("SendMessage", ["MqttTopic": "chat/a", "Payload": "x"])
        #expect(answer.status == 500)
        #expect(answer.message == "the log is full")
    }

    @Test func `several messages go to several topics, and each is answered for itself`() async {
        let answer = await call(
            "BatchSendMessages",
            [
                "Messages.1.Id": "7", "Messages.1.Payload": "two", "Messages.1.Topics.1": "chat/a",
                "Messages.1.Topics.2": "chat/b", "Messages.1.ReceiptId": "r", "Messages.2.Id": "8",
                "Messages.2.Payload": "three", "Messages.2.Topics.1": "chat/a", "Messages.2.Topics.2": "nowhere/x",
            ],
            version: "2019-12-11",
        )
        let responses = answer.json["Responses"]?.items ?? []
        #expect(responses.map { $0["Id"] } == [7, 8])
        #expect(responses.map { $0["ErrorCode"] } == [0, 400])
        #expect(responses.first?["MsgId"]?.string?.count == 32)
        #expect(responses.last?["ErrorMessage"]?.string?.contains("nowhere") == true)
        // Of the second message nothing went anywhere.
        #expect(fixture.broker.content.withLock { $0.published.map(\.topic) } == ["chat/a", "chat/b"])
    }

    // MARK: - The disaster actions

    @Test(arguments: [("DisasterDowngrade", "DowngradeInstanceId"), ("DisasterRecovery", "RecoveryInstanceId")])
    func `what is not offered says so`(action: String, other: String) async {
        let answer = await call(action, [other: Fixture.second])
        #expect(answer.status == 404)
        #expect(answer.code == "ApiNotSupport")
        #expect(await call(action).code == "InvalidParameter.\(other)")
    }
}
