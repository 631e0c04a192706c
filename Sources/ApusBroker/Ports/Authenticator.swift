package import MQTTCodec

/// Whoever connects, as the transport and the CONNECT packet describe them.
package struct Peer: Sendable, Equatable {
    /// The remote address as text: `127.0.0.1:50123`, `[::1]:50123` or `unix`.
    package var address: String
    /// The name of the listener that took the connection.
    package var listener: String
    /// Whether both ends are this machine (loopback or unix socket); PROXY protocol's address counts when present.
    package var isLoopback: Bool
    /// The subject of the verified client certificate, RFC 2253 text; `nil` without one.
    package var certificateSubject: String?
    /// The server name of the TLS handshake or the Host of the WebSocket upgrade.
    package var serverName: String?

    package init(
        address: String,
        listener: String,
        isLoopback: Bool,
        certificateSubject: String? = nil,
        serverName: String? = nil,
    ) {
        self.address = address
        self.listener = listener
        self.isLoopback = isLoopback
        self.certificateSubject = certificateSubject
        self.serverName = serverName
    }
}

/// What a CONNECT offers as proof.
package struct AuthenticationRequest: Sendable {
    package var peer: Peer
    package var clientID: String
    package var userName: String?
    package var password: [UInt8]?
    package var version: ProtocolVersion

    package init(peer: Peer, clientID: String, userName: String?, password: [UInt8]?, version: ProtocolVersion) {
        self.peer = peer
        self.clientID = clientID
        self.userName = userName
        self.password = password
        self.version = version
    }
}

/// Who a connection proved to be; what an `Authorizer` decides by.
package struct Principal: Sendable, Equatable {
    package var clientID: String
    /// The user name that was proven; `nil` for an anonymous connection.
    package var userName: String?

    package init(clientID: String, userName: String?) {
        self.clientID = clientID
        self.userName = userName
    }
}

/// The end of an authentication.
package enum AuthenticationOutcome: Sendable, Equatable {
    case accepted(Principal)
    /// `explanation` goes into the log; `clientExplanation` goes into the reason string where the client asked for it.
    /// Without one the client reads `explanation` too. Neither ever holds a secret.
    case refused(ReasonCode, explanation: String, clientExplanation: String? = nil)
}

/// One step of an enhanced authentication [MQTT-4.12].
package enum EnhancedAuthenticationStep: Sendable, Equatable {
    case challenge([UInt8])
    /// The server's last data travel in the CONNACK (or the AUTH that ends a re-authentication).
    case accepted(Principal, data: [UInt8])
    /// As for `AuthenticationOutcome.refused`.
    case refused(ReasonCode, explanation: String, clientExplanation: String? = nil)
}

/// One enhanced authentication under way; a value machine that the connection owns.
package protocol EnhancedAuthentication: Sendable {
    /// The client's data of the CONNECT or of the next AUTH packet; empty when the client sent none.
    mutating func received(_ data: [UInt8]) -> EnhancedAuthenticationStep
}

/// Decides who may connect.
///
/// Called on a shard's thread and must not block it: an implementation that needs time (a slow hash, a network) hands the
/// request to a thread of its own and calls `reply` from there, exactly once.
package protocol Authenticator: Sendable {
    func authenticate(_ request: AuthenticationRequest, reply: @escaping @Sendable (AuthenticationOutcome) -> Void)

    /// A new exchange of the named method, or `nil` when the method is not supported.
    /// The user name that it ends with takes the place of the CONNECT's.
    func enhancedAuthentication(method: String, request: AuthenticationRequest) -> (any EnhancedAuthentication)?
}
