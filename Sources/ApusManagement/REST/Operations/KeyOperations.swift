internal import ApusResources
internal import HTTPTypes

/// Access keys.
enum KeyOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/keys",
            "listKeys",
            "Access keys by id, without their secrets.",
            rights: .administrator,
            query: RESTCall.pageParameters + [.init("account", Components.accountName, "Only those of this account.")],
            answer: .component("KeyList"),
        ) { call throws(RESTError) in
            let account = call.query["account"]?.string
            let accounts = account.map { [$0] } ?? call.directory.accounts.map(\.name)
            let keys = accounts.flatMap { call.directory.accessKeys(ofAccount: $0) }
            return try call.page(of: keys, key: \.id, json: json)
        },
        RESTOperation(
            .post,
            "/keys",
            "createKey",
            "Creates an access key, and shows its secret this once.",
            rights: .administrator,
            body: .component("NewKey"),
            status: .created,
            answer: .component("KeyWithSecret"),
        ) { call throws(RESTError) in
            let account = call.text("account")
            guard call.directory.account(account) != nil else { throw .notFound("there is no account '\(account)'") }
            var key: AccessKey
            do throws(ResourceError) {
                let rights = AccessKey.Rights(rawValue: call.text("rights")) ?? .data
                key = try call.service.manager.newAccessKey(account: account, rights: rights)
            } catch { throw RESTError(error) }
            key.id = call.body["id"]?.string ?? key.id
            key.secret = call.body["secret"]?.string ?? key.secret
            let new = key
            try call.change { () throws(RESTError) in
                guard call.directory.accessKey(id: new.id) == nil else {
                    throw .exists("there is an access key '\(new.id)' already")
                }
                return ChangeProposal([.putAccessKey(new)], "key \(new.id) of \(account), \(new.rights.rawValue)")
            }
            return json(new).adding(["secret": .string(new.secret)])
        },
        RESTOperation(
            .get,
            "/keys/{key}",
            "getKey",
            "An access key, without its secret.",
            rights: .administrator,
            answer: .component("Key"),
        ) { call throws(RESTError) in json(try existing(call)) },
        RESTOperation(
            .patch,
            "/keys/{key}",
            "changeKey",
            "Changes a key's rights, or disables or enables it.",
            rights: .administrator,
            body: .component("KeyChange"),
            answer: .component("Key"),
        ) { call throws(RESTError) in
            json(
                try call.change { () throws(RESTError) in
                    var key = try existing(call)
                    key.rights = call.body["rights"]?.string.flatMap(AccessKey.Rights.init) ?? key.rights
                    key.isEnabled = call.body["enabled"]?.bool ?? key.isEnabled
                    return ChangeProposal(
                        [.putAccessKey(key)],
                        "key \(key.id), \(key.rights.rawValue), \(key.isEnabled ? "enabled" : "disabled")",
                        answer: key,
                    )
                }
            )
        },
        RESTOperation(
            .delete,
            "/keys/{key}",
            "deleteKey",
            "Deletes a key; tokens that it has issued no longer count, also when a key of its id is made anew.",
            rights: .administrator,
            status: .noContent,
        ) { call throws(RESTError) in
            let key = try existing(call)
            try call.change([.deleteAccessKey(id: key.id)], "key \(key.id)")
            return .null
        },
    ]

    private static func existing(_ call: RESTCall) throws(RESTError) -> AccessKey {
        guard let key = call.directory.accessKey(id: call.part("key")) else {
            throw .notFound("there is no access key '\(call.part("key"))'")
        }
        return key
    }

    private static func json(_ key: AccessKey) -> JSONValue {
        [
            "id": .string(key.id), "account": .string(key.account), "rights": .string(key.rights.rawValue),
            "enabled": .bool(key.isEnabled), "createdAt": .integer(key.createdAt),
        ]
    }
}
