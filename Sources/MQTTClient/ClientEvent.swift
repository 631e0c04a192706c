public import MQTTCodec

/// What happened to a client.
public enum ClientEvent: Sendable, Equatable {
    /// The server accepted the connection, with its limits.
    case connected(ConnAck)
    /// The server refused the connection; close it.
    case refused(ConnAck)
    /// A message arrived, its topic alias resolved. The token is there when the application has to acknowledge.
    case message(Publish, DeliveryToken?)
    /// A message is done: given out (QoS 0), acknowledged by the server with this code, or refused by us because the
    /// server announced that it does not take its like.
    case published(ClientToken, ReasonCode, reasonString: String?)
    /// A SUBSCRIBE was answered, with one code for each request.
    case subscribed(ClientToken, [ReasonCode], reasonString: String?)
    /// An UNSUBSCRIBE was answered, with one code for each filter (of success only in MQTT 3.x).
    case unsubscribed(ClientToken, [ReasonCode], reasonString: String?)
    /// The connection or the session ended and nobody can say whether the server has fulfilled the request: a
    /// subscription or unsubscription without an answer, or a QoS 2 message whose session the server has lost.
    case abandoned(ClientToken)
    /// The server continues enhanced authentication, or ends it with a success; a continuation is to be answered by
    /// ``MQTTClientMachine/authenticate(data:now:into:)``.
    case authentication(Auth)
    /// The server ended the connection and says why; close it.
    case disconnected(Disconnect)
    /// The server broke a rule; send what is to be sent and close the connection.
    case protocolViolation(ReasonCode, String)
    /// The connection is of no use any more; close it.
    case connectionLost(ConnectionLoss)
}

/// How a connection ended without anybody saying so.
public enum ConnectionLoss: Sendable {
    /// The transport closed or failed.
    case transportClosed
    /// The server did not answer the CONNECT in time.
    case noAnswerToConnect
    /// The server did not answer a ping in time.
    case noAnswerToPing
}

/// What the driver has to do after an event: send bytes, then look at what happened, both in order.
public struct ClientActions: Sendable, Equatable {
    /// To be sent; the driver empties it.
    public var bytes: [UInt8] = []
    /// To be handled; the driver empties it.
    public var events: [ClientEvent] = []

    /// Nothing to do yet.
    public init() {}
}

/// Why a request of the application was not taken.
public enum ClientError: Error, Sendable, Hashable {
    /// There is a connection already.
    case alreadyConnected
    /// The request needs a connection that the server has accepted.
    case notConnected
    /// A client without an identifier cannot keep a session in MQTT 3.x [v3 MQTT-3.1.3-7].
    case clientIdentifierMissing
    /// The topic name is empty, too long, or holds a wildcard or U+0000.
    case topicInvalid
    /// A SUBSCRIBE or UNSUBSCRIBE needs a topic filter, and none may be empty or hold U+0000.
    case topicFilterInvalid
    /// As many messages wait as may wait.
    case queueFull
    /// All packet identifiers are in use.
    case noPacketIdentifier
    /// A string or a value is beyond 65,535 bytes, or the packet is beyond what the server accepts.
    case tooLarge
    /// The server announced that it does not support this.
    case notSupportedByServer(ReasonCode)
    /// The protocol version of the connection does not have this.
    case notInThisVersion
}
