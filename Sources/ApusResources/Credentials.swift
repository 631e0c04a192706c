package import ApusMessage

/// The credential of one device (apsaramq-facts 2.5).
package struct DeviceCredential: Sendable, Hashable {
    package var instance: InstanceNumber
    /// The full client id that it is bound to.
    package var clientID: String
    /// Begins `DC.`; unique.
    package var accessKeyID: String
    /// Begins `DC.`; never logged.
    package var accessKeySecret: String
    /// Unix milliseconds.
    package var createdAt: Int64
    /// Unix milliseconds.
    package var updatedAt: Int64

    package init(
        instance: InstanceNumber,
        clientID: String,
        accessKeyID: String,
        accessKeySecret: String,
        createdAt: Int64,
        updatedAt: Int64,
    ) {
        self.instance = instance
        self.clientID = clientID
        self.accessKeyID = accessKeyID
        self.accessKeySecret = accessKeySecret
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// Whom an entry of custom authentication is about (apsaramq-facts 2.6).
package enum IdentityType: String, Sendable, CaseIterable {
    /// A user name, whatever the client id.
    case user = "USER"
    /// A user name together with one client id.
    case client = "CLIENT"
}

/// A user of custom authentication (apsaramq-facts 4.4.4).
package struct CustomIdentity: Sendable, Hashable {
    /// How the password proves the secret.
    package enum SignMode: String, Sendable, CaseIterable {
        /// The password is the secret.
        case origin = "ORIGIN"
        /// The password is `Base64(HMAC-SHA1(secret, client id))`.
        case signed = "SIGNED"
    }

    package var instance: InstanceNumber
    package var type: IdentityType
    /// 1 … 64 characters.
    package var userName: String
    /// Of type `client` only.
    package var clientID: String?
    package var secret: String
    package var signMode: SignMode

    package init(
        instance: InstanceNumber,
        type: IdentityType,
        userName: String,
        clientID: String?,
        secret: String,
        signMode: SignMode,
    ) {
        self.instance = instance
        self.type = type
        self.userName = userName
        self.clientID = clientID
        self.secret = secret
        self.signMode = signMode
    }
}

/// What an identity of custom authentication may or may not do (apsaramq-facts 4.4.5).
package struct CustomPermission: Sendable, Hashable {
    package enum Effect: String, Sendable, CaseIterable {
        case allow = "ALLOW"
        case deny = "DENY"
    }

    package enum Action: String, Sendable, CaseIterable {
        case publish = "PUB"
        case subscribe = "SUB"
        case both = "PUB_SUB"
    }

    package var instance: InstanceNumber
    package var type: IdentityType
    /// A user name (`user`) or a client id (`client`).
    package var identity: String
    /// A topic or filter; its parent topic exists.
    package var topic: String
    package var effect: Effect
    package var action: Action

    package init(
        instance: InstanceNumber,
        type: IdentityType,
        identity: String,
        topic: String,
        effect: Effect,
        action: Action,
    ) {
        self.instance = instance
        self.type = type
        self.identity = identity
        self.topic = topic
        self.effect = effect
        self.action = action
    }
}

/// A client id that may not connect (apsaramq-facts 4.4.3).
package struct BannedClient: Sendable, Hashable {
    package var instance: InstanceNumber
    package var clientID: String

    package init(instance: InstanceNumber, clientID: String) {
        self.instance = instance
        self.clientID = clientID
    }
}

/// A token that was taken back before its time.
///
/// Issued tokens are signed and not stored (see ``Token``).
package struct RevokedToken: Sendable, Hashable {
    package var instance: InstanceNumber
    /// ``Token/id``.
    package var tokenID: String
    /// When the token would have ended and this entry may go; Unix milliseconds.
    package var expiresAt: Int64

    package init(instance: InstanceNumber, tokenID: String, expiresAt: Int64) {
        self.instance = instance
        self.tokenID = tokenID
        self.expiresAt = expiresAt
    }
}
