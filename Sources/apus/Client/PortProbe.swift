internal import ApusLoop
internal import ApusTransport

/// Finds out what a port speaks when it does not speak what was asked for, as with MQTT against a port for TLS.
///
/// Connects up to three times more, so it is for a person who waits for the answer, and who is told: the broker may log it.
/// Sends no name and no password.
enum PortProbe {
    private static let timeout = Duration.seconds(2)

    /// What a failure before the broker's first answer may come from.
    static func isWorthwhile(_ words: String, _ endpoint: ClientEndpoint) -> Bool {
        let isAfterConnecting = ["TLS", "WebSocket"].contains { words.hasPrefix("\(endpoint): \($0): ") }
        // Whoever shows a certificate speaks TLS.
        return isAfterConnecting && !words.contains("certificate")
    }

    /// For the person, before `hint` is called.
    static let notice =
        "looking what the port speaks, with up to three more connections; the broker's log may mention them"

    /// What to do about a certificate that nobody vouches for, that has another name, or that is missing.
    ///
    /// - Parameter nameOption: how the tool is told the server's name.
    static func certificateHint(
        _ words: String,
        _ tls: TLSClientConfiguration,
        nameOption: String = "-h NAME or --url",
    ) -> String? {
        // OpenSSL's words for names and for addresses.
        if words.contains("hostname mismatch") || words.contains("IP address mismatch") {
            return "the certificate does not have this name: give one that it has with \(nameOption)"
        }
        if words.contains("certificate verify failed") {
            return tls.authorityFile.map { "\($0) of --ca-file has not the certificate of its authority" }
                ?? "to trust this certificate, give that of its authority with --ca-file"
        }
        // OpenSSL's words for the alerts of TLS 1.3 and 1.2.
        let isMissing = words.contains("alert certificate required") || words.contains("alert handshake failure")
        guard isMissing, tls.identity == nil else { return nil }
        return "the broker may want a client certificate: give one with --cert and --key"
    }

    /// A sentence for the person; `nil` when the port speaks what was asked for, or nothing that we know.
    static func hint(_ endpoint: ClientEndpoint, _ tls: TLSClientConfiguration) -> String? {
        guard case .internet(let host, let port) = endpoint.address else { return nil }
        let place = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        var tls = tls
        // Who it is does not matter: nothing is told to it.
        tls.isInsecure = true
        switch finding(place, tls) {
        case nil: return nil
        case .http(let isSecure, let status):
            return
                "this port is of an HTTP server, which has no MQTT over WebSocket at \(usualPath) (status \(status)): "
                + "the management API perhaps, or a web server; take a port of MQTT, or give the path with --url "
                + "\(isSecure ? "wss" : "ws")://\(place)/PATH"
        case .listener(let kind):
            // The probe has the usual path; what was asked for may have another.
            guard kind != endpoint.kind || kind.isWebSocket && endpoint.path != usualPath else { return nil }
            return
                "this port speaks \(words(kind)); try --url \(kind.scheme)://\(place)\(kind.isWebSocket ? usualPath : "")"
        }
    }

    private static let usualPath = "/mqtt"

    private static func words(_ kind: ListenerConfiguration.Kind) -> String {
        switch kind {
        case .tcp: "MQTT without TLS"
        case .tls: "TLS"
        case .webSocket: "WebSocket without TLS"
        case .secureWebSocket: "WebSocket with TLS"
        }
    }

    /// What a port turned out to be.
    private enum Finding {
        case listener(ListenerConfiguration.Kind)
        /// It answers by HTTP and refuses the upgrade, with this status.
        case http(isSecure: Bool, status: String)
    }

    private static func finding(_ place: String, _ tls: TLSClientConfiguration) -> Finding? {
        do {
            let secure = try ClientEndpoint("wss://\(place)")
            do {
                try ClientConnection(secure, tls: tls, timeout: timeout).close(timeout: .zero)
                return .listener(.secureWebSocket)
            } catch {
                if error.description.hasPrefix("\(secure): WebSocket: ") {
                    return refusal(error, isSecure: true) ?? .listener(.tls)
                }
            }
            do {
                try ClientConnection(try ClientEndpoint("ws://\(place)"), timeout: timeout).close(timeout: .zero)
                return .listener(.webSocket)
            } catch {
                if let refusal = refusal(error, isSecure: false) { return refusal }
                // Then perhaps plain MQTT.
            }
            return try answersConnect(try ClientEndpoint("mqtt://\(place)")) ? .listener(.tcp) : nil
        } catch {
            return nil
        }
    }

    /// Who answers an upgrade with a status speaks HTTP.
    private static func refusal(_ error: ApusTransport.ClientError, isSecure: Bool) -> Finding? {
        let words = "refused with status "
        guard let range = error.description.firstRange(of: words) else { return nil }
        return .http(isSecure: isSecure, status: String(error.description[range.upperBound...].prefix(3)))
    }

    /// Whether a CONNECT (3.1.1, no name, a new session) is answered by a CONNACK, of whatever content.
    private static func answersConnect(_ endpoint: ClientEndpoint) throws(ApusTransport.ClientError) -> Bool {
        let connection = try ClientConnection(endpoint, timeout: timeout)
        defer { connection.close(timeout: .zero) }
        try connection.send([0x10, 12, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60, 0, 0])
        guard case .bytes(let answer) = try connection.receive(timeout: timeout) else { return false }
        return answer.starts(with: [0x20, 2])
    }
}
