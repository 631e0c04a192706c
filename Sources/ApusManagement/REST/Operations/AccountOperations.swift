internal import ApusResources
internal import HTTPTypes

/// Accounts.
enum AccountOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/accounts",
            "listAccounts",
            "Accounts by name.",
            rights: .administrator,
            query: RESTCall.pageParameters,
            answer: .component("AccountList"),
        ) { call throws(RESTError) in
            try call.page(of: call.directory.accounts, key: \.name, json: json)
        },
        RESTOperation(
            .post,
            "/accounts",
            "createAccount",
            "Creates an account.",
            rights: .administrator,
            body: .component("NewAccount"),
            status: .created,
            answer: .component("Account"),
        ) { call throws(RESTError) in
            let account = Account(name: call.text("name"), createdAt: call.now)
            try call.change { () throws(RESTError) in
                guard call.directory.account(account.name) == nil else {
                    throw .exists("there is an account '\(account.name)' already")
                }
                return ChangeProposal([.putAccount(account)], "account \(account.name)")
            }
            return json(account)
        },
        RESTOperation(
            .delete,
            "/accounts/{account}",
            "deleteAccount",
            "Deletes an account with its keys; it must own no instance.",
            rights: .administrator,
            status: .noContent,
        ) { call throws(RESTError) in
            let name = call.part("account")
            guard call.directory.account(name) != nil else { throw .notFound("there is no account '\(name)'") }
            try call.change([.deleteAccount(name: name)], "account \(name)")
            return .null
        },
    ]

    private static func json(_ account: Account) -> JSONValue {
        ["name": .string(account.name), "createdAt": .integer(account.createdAt)]
    }
}
