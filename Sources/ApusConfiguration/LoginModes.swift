/// JSON Web Tokens as passwords, in one instance or in all others of the `standard` profile.
package struct JWTLogin: Sendable, Equatable {
    /// What signatures are checked with; a path, the key stays in its file.
    package struct Key: Sendable, Equatable {
        package enum Kind: String, Sendable, CaseIterable {
            /// The secret of HS256.
            case secretFile
            /// A PEM file: RSA for RS256, P-256 for ES256.
            case publicKeyFile
        }

        /// The `kid` by which tokens name the key; `nil` fits every token.
        package var id: String?
        package var kind: Kind
        package var path: String
    }

    /// `nil`: every instance of the `standard` profile that no other entry names.
    package var instance: String?
    package var keys: [Key] = []
    /// What `iss` and `aud` must say; `nil`: anything.
    package var issuer: String?
    package var audience: String?
    /// How far the clocks of issuer and service may be apart.
    package var leewaySeconds = 0
}

/// An HTTP service that judges the logins of one instance.
package struct HTTPLogin: Sendable, Equatable {
    package var instance: String
    package var url: HTTPURL
    /// For a whole call.
    package var timeoutMilliseconds = 3000
    /// So many at a time, so many more waiting.
    package var calls = 64
    package var waitingCalls = 1024
    /// PEM: the authorities that sign the service's certificate; `nil`: those of the system.
    package var caFile: String?
}
