package import ApusBroker
internal import MQTTCodec

/// Accepts everybody on this machine under whatever name they give: `apus serve --dev`.
package struct DevelopmentAuthenticator: Authenticator {
    package init() {}

    package func authenticate(
        _ request: AuthenticationRequest,
        reply: @escaping @Sendable (AuthenticationOutcome) -> Void,
    ) {
        guard request.peer.isLoopback else {
            return reply(.refused(.notAuthorized, explanation: "the development mode serves this machine only"))
        }
        // A name without a proof is nobody's.
        reply(.accepted(Principal(clientID: request.clientID, userName: nil)))
    }

    package func enhancedAuthentication(
        method: String,
        request: AuthenticationRequest,
    ) -> (any EnhancedAuthentication)? { nil }
}
