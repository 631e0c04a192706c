internal import ApusLocks

/// How a client proves who it is; the names are those of the metric `apus_logins_total`.
package enum LoginMode: String, Sendable, CaseIterable {
    case signature
    case token
    case deviceCredential = "device_credential"
    /// A stored identity of custom authentication.
    case custom
    case jwt
    case http
    case passwordFile = "password_file"
    case scram
    /// The certificate names the user; in other modes it is looked at besides.
    case certificate
    case anonymous
    /// It was refused before there was a mode, or has none.
    case none
}

/// How a login ended; the names are those of the metric `apus_logins_total`.
package enum LoginResult: String, Sendable, CaseIterable {
    case accepted
    /// User name, password or the data of the exchange are not written as they must be.
    case malformed
    /// The user name names another instance than the connection is for.
    case wrongInstance = "wrong_instance"
    /// The instance that the connection is for does not exist.
    case unknownInstance = "unknown_instance"
    /// It is stopped, or was deleted a moment ago.
    case instanceUnavailable = "instance_unavailable"
    /// The client id is not of the form that the instance demands.
    case malformedClientID = "malformed_client_id"
    case unknownGroup = "unknown_group"
    case banned
    /// The client id is not that which the credential is bound to.
    case wrongClientID = "wrong_client_id"
    /// The access key, the device's key or the key of a JWT.
    case unknownKey = "unknown_key"
    /// The key is disabled, of another account, or was deleted.
    case unusableKey = "unusable_key"
    case unknownUser = "unknown_user"
    case badSignature = "bad_signature"
    case badPassword = "bad_password"
    /// A token that is forged, of somebody else or for something else.
    case badToken = "bad_token"
    case expiredToken = "expired_token"
    case revokedToken = "revoked_token"
    /// The client certificate is missing or not taken.
    case badCertificate = "bad_certificate"
    /// The HTTP service has said no.
    case denied
    /// The HTTP service has not answered as it should.
    case serviceFailed = "service_failed"
    /// Anonymous connections are not taken, or not from there.
    case notAllowed = "not_allowed"
    /// Address or identity has failed too often and must wait.
    case tooManyFailures = "too_many_failures"
    /// Too many checks are waiting.
    case busy
}

/// How many logins ended how since the start: one number for each mode and result, so that clients cannot make it grow.
package final class LoginCounts: Sendable {
    private let counts = Guarded([UInt64](repeating: 0, count: LoginMode.allCases.count * LoginResult.allCases.count))

    package init() {}

    func count(_ mode: LoginMode, _ result: LoginResult) { counts.withLock { $0[Self.place(mode, result)] += 1 } }

    package subscript(mode: LoginMode, result: LoginResult) -> UInt64 {
        counts.withLock { $0[Self.place(mode, result)] }
    }

    private static func place(_ mode: LoginMode, _ result: LoginResult) -> Int {
        let modes = LoginMode.allCases.firstIndex(of: mode) ?? 0
        return modes * LoginResult.allCases.count + (LoginResult.allCases.firstIndex(of: result) ?? 0)
    }
}
