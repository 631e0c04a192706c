package import ApusMessage
package import MQTTCodec

/// Whoever connects, as the transport and the CONNECT packet describe them.
package struct Peer: Sendable, Equatable {
    /// The remote address as text: `127.0.0.1:50123`, `[::1]:50123` or `unix`.
    package var address: String {
        get { hasPort ? "\(host):\(port)" : host }
        set { (host, port, hasPort) = Self.parts(of: newValue) }
    }
    /// The name of the listener that took the connection.
    package var listener: String
    /// Whether both ends are this machine (loopback or unix socket); PROXY protocol's address counts when present.
    package var isLoopback: Bool
    private var hasPort: Bool
    private var port: UInt16
    // Apart, since a String of up to 15 bytes, as any IPv4 address is, needs no memory of its own.
    private var host: String
    /// What TLS and WebSocket said, `nil` for nothing.
    ///
    /// Apart, since each connection holds a peer, and most hold nothing of this.
    private var layers: Layers?
    /// The subject of the client certificate, RFC 2253 text; `nil` without one.
    ///
    /// Also `nil` for one that only an authority has verified which an instance has registered: it can write any subject.
    package var certificateSubject: String? {
        get { layers?.content.certificateSubject }
        set { change { $0.certificateSubject = newValue } }
    }
    /// The client certificate itself, in DER; `nil` without one.
    ///
    /// The peer has its key.
    package var certificate: [UInt8]? {
        get { layers?.content.certificate }
        set { change { $0.certificate = newValue } }
    }
    /// Why the certificate does not verify; `nil` when it does.
    package var certificateFault: String? {
        get { layers?.content.certificateFault }
        set { change { $0.certificateFault = newValue } }
    }
    /// The server name of the TLS handshake or the Host of the WebSocket upgrade.
    package var serverName: String? {
        get { layers?.content.serverName }
        set { change { $0.serverName = newValue } }
    }

    /// All is the host of an address whose port is none, or is not written as it would be.
    private static func parts(of address: String) -> (host: String, port: UInt16, hasPort: Bool) {
        guard let colon = address.utf8.lastIndex(of: UInt8(ascii: ":")) else { return (address, 0, false) }
        let digits = address[address.utf8.index(after: colon)...]
        guard let port = UInt16(digits), String(port) == digits else { return (address, 0, false) }
        return (String(address[..<colon]), port, true)
    }

    private struct LayerContent: Sendable, Equatable {
        var certificateSubject: String?
        var certificate: [UInt8]?
        var certificateFault: String?
        var serverName: String?
    }

    private final class Layers: Sendable, Equatable {
        let content: LayerContent

        init(_ content: LayerContent) { self.content = content }

        static func == (left: Layers, right: Layers) -> Bool { left.content == right.content }
    }

    private mutating func change(_ change: (inout LayerContent) -> Void) {
        var content = layers?.content ?? LayerContent()
        change(&content)
        layers = content == LayerContent() ? nil : Layers(content)
    }

    package init(
        address: String,
        listener: String,
        isLoopback: Bool,
        certificateSubject: String? = nil,
        certificate: [UInt8]? = nil,
        certificateFault: String? = nil,
        serverName: String? = nil,
    ) {
        (host, port, hasPort) = Self.parts(of: address)
        self.listener = listener
        self.isLoopback = isLoopback
        let content = LayerContent(
            certificateSubject: certificateSubject,
            certificate: certificate,
            certificateFault: certificateFault,
            serverName: serverName,
        )
        layers = content == LayerContent() ? nil : Layers(content)
    }
}

/// What a CONNECT offers as proof.
package struct AuthenticationRequest: Sendable {
    package var peer: Peer
    /// The instance that the CONNECT is for.
    package var instance: InstanceNumber
    package var clientID: String
    package var userName: String?
    package var password: [UInt8]?
    package var version: ProtocolVersion
    package var now: Timestamp

    package init(
        peer: Peer,
        instance: InstanceNumber = .none,
        clientID: String,
        userName: String?,
        password: [UInt8]?,
        version: ProtocolVersion,
        now: Timestamp = Timestamp(milliseconds: 0),
    ) {
        self.peer = peer
        self.instance = instance
        self.clientID = clientID
        self.userName = userName
        self.password = password
        self.version = version
        self.now = now
    }
}

/// What an authenticator has found that a principal may do; its authorizer knows how to read it.
package protocol Grant: AnyObject, Sendable {}

/// Who a connection proved to be; what an `Authorizer` decides by.
package struct Principal: Sendable, Equatable {
    package var clientID: String
    /// The user name that was proven; `nil` for an anonymous connection.
    package var userName: String?
    package var grant: (any Grant)?
    /// When `Authorizer.standing` is to be asked again; `.distantFuture` for never.
    package var validUntil: Timestamp
    /// When `Authorizer.notice` is to be asked for; `.distantFuture` for never.
    package var noticeAt: Timestamp
    // Last, so that another field may stand beside it.
    package var instance: InstanceNumber

    package init(
        clientID: String,
        userName: String?,
        instance: InstanceNumber = .none,
        grant: (any Grant)? = nil,
        validUntil: Timestamp = .distantFuture,
        noticeAt: Timestamp = .distantFuture,
    ) {
        self.clientID = clientID
        self.userName = userName
        self.instance = instance
        self.grant = grant
        self.validUntil = validUntil
        self.noticeAt = noticeAt
    }

    package static func == (left: Principal, right: Principal) -> Bool {
        left.clientID == right.clientID && left.userName == right.userName && left.instance == right.instance
            && left.grant === right.grant && left.validUntil == right.validUntil && left.noticeAt == right.noticeAt
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
    /// Whom the client says to be, as far as it has said it; for the log, since nothing of it is proved.
    var claimedUserName: String? { get }

    /// The client's data of the CONNECT or of the next AUTH packet; empty when the client sent none.
    mutating func received(_ data: [UInt8]) -> EnhancedAuthenticationStep
}

extension EnhancedAuthentication {
    package var claimedUserName: String? { nil }
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

    /// A message that a client sent to the broker itself, such as `$SYS/uploadToken` (apsaramq-facts 1).
    ///
    /// - Returns: `nil` when the topic is none of this kind.
    func receivedSystemMessage(
        topic: String,
        payload: [UInt8],
        from principal: Principal,
        now: Timestamp,
    ) -> SystemMessageOutcome?
}

extension Authenticator {
    package func receivedSystemMessage(
        topic: String,
        payload: [UInt8],
        from principal: Principal,
        now: Timestamp,
    ) -> SystemMessageOutcome? { nil }
}

/// What became of a message to the broker itself.
package enum SystemMessageOutcome: Sendable, Equatable {
    case accepted
    /// The client has proven something else from now on.
    case replaced(Principal)
    /// The connection ends, after the notice if there is one.
    case refused(ReasonCode, explanation: String, notice: SystemNotice? = nil)
}
