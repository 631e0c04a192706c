/// Who owns instances and signs requests; has access keys.
package struct Account: Sendable, Hashable {
    /// 1 … 64 of `0-9a-zA-Z-_`, unique without regard to case.
    package var name: String
    /// Unix milliseconds.
    package var createdAt: Int64

    package init(name: String, createdAt: Int64) {
        self.name = name
        self.createdAt = createdAt
    }
}

/// A pair of access key id and secret: signs API requests and MQTT passwords in `Signature` mode.
package struct AccessKey: Sendable, Hashable {
    /// What a key may do; each right includes those after it.
    package enum Rights: String, Sendable, Hashable, CaseIterable {
        /// Everything, over all accounts.
        case administrator
        /// Topics, groups, credentials, tokens and clients of its account's instances.
        case manager
        /// MQTT, SendMessage, and queries of its account's instances.
        case data
    }

    /// 1 … 64 of `0-9a-zA-Z-_.`, unique over all accounts.
    package var id: String
    /// 8 … 128 printable ASCII characters; never logged.
    package var secret: String
    package var account: String
    package var rights: Rights
    package var isEnabled: Bool
    /// Unix milliseconds.
    package var createdAt: Int64
    /// Tokens that were issued before do not count, in Unix milliseconds: they are of an earlier key of this id, or of an
    /// earlier secret.
    package var tokensSince: Int64

    /// - Parameter tokensSince: `createdAt` if nothing else is said.
    package init(
        id: String,
        secret: String,
        account: String,
        rights: Rights,
        isEnabled: Bool = true,
        createdAt: Int64,
        tokensSince: Int64? = nil,
    ) {
        self.id = id
        self.secret = secret
        self.account = account
        self.rights = rights
        self.isEnabled = isEnabled
        self.createdAt = createdAt
        self.tokensSince = tokensSince ?? createdAt
    }
}
