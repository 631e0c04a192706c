/// What the configuration decides about single instances' logins; replaced as a whole when it changes.
package struct ConfiguredModes: Sendable {
    /// The keys for JWTs by instance id; under the empty id those of every other instance of the `standard` profile.
    package var jwt: [String: JWTVerifier] = [:]
    /// HTTP services by instance id.
    package var hooks: [String: AuthenticationHook] = [:]
    /// Ids of instances that demand a client certificate of one of their authorities.
    package var certificateInstances: Set<String> = []

    package init() {}

    func verifier(ofInstance id: String) -> JWTVerifier? { jwt[id] ?? jwt[""] }
}
