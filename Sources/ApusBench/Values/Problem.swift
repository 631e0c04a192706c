package import ApusLoop
package import MQTTCodec

/// What went wrong with a connection or a message, as the broker or the system said it.
package enum Problem: Hashable, Sendable {
    /// CONNACK with a failure.
    case connectRefused(ReasonCode, String?)
    /// A filter's failure in SUBACK.
    case subscribeRefused(ReasonCode, String?)
    /// A failure in PUBACK, PUBREC or PUBCOMP.
    case publishRefused(ReasonCode, String?)
    /// DISCONNECT by the broker.
    case disconnected(ReasonCode, String?)
    /// The broker closed the connection without a word.
    case closed
    /// The connection ended before the first answer, and how, unless it was closed.
    case unanswered(Question, StreamFailure?)
    /// Nothing came for as long as the plan is patient.
    case silence
    /// The connection could not be made, or broke.
    case network(StreamFailure)
    /// The upgrade to WebSocket, or a frame.
    case webSocket(String)
    /// What the broker sent is no MQTT, or not now.
    case protocolViolation(String)

    /// What a client says first.
    package enum Question: Sendable {
        case upgrade
        case connect
    }
}

extension Problem {
    /// Which limit of this machine or of the broker stopped connections, if it was one.
    package enum Limit: String, Sendable {
        /// Descriptors of this process.
        case openFiles
        /// Descriptors of the whole machine.
        case openFilesOfMachine
        /// Ports of our own addresses.
        case ports
        /// The kernel's memory.
        case memory
        /// The broker accepts no more.
        case broker
    }

    package var limit: Limit? {
        switch self {
        case .network(.system(let error)):
            switch error.name {
            case "EMFILE": .openFiles
            case "ENFILE": .openFilesOfMachine
            case "EADDRNOTAVAIL", "EADDRINUSE": .ports
            case "ENOMEM", "ENOBUFS": .memory
            // Not ECONNREFUSED: a broker that takes no more still listens.
            case "ECONNRESET", "ETIMEDOUT", "EPIPE": .broker
            default: nil
            }
        case .connectRefused(let code, _):
            switch code {
            case .quotaExceeded, .serverBusy, .serverUnavailable, .connectionRateExceeded: .broker
            default: nil
            }
        case .closed, .unanswered, .silence: .broker
        default: nil
        }
    }
}
