internal import COpenSSL

/// One TLS connection whose bytes somebody else carries: what arrives is handed in, what must go is taken out.
///
/// For channels that are not sockets of ours, those of HTTP. After `receive` call `handshake` until it is done, then
/// `read`; after each of them, and after `write` and `shutdown`, send what `takeOutgoing` returns. Used by one thread at a
/// time. It holds an incomplete record (16 KiB) of what arrived, and what was not taken out.
package final class TLSMemorySession {
    /// How far the handshake is.
    package enum Handshake: Equatable, Sendable {
        /// Bytes of the application may have come with the last handshake bytes: call `read` at once.
        case done
        case wantsBytes
        /// With OpenSSL's reason; what is to be taken out tells the peer.
        case failed(String)
    }

    /// How reading ended.
    package enum End: Equatable, Sendable {
        /// The peer said that it sends no more.
        case closed
        case failed(String)
    }

    private static let recordBytes = 16 * 1024

    private let session: OpaquePointer
    /// Memory of the session's own, freed with it.
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    /// Keeps the table of server names alive, into which OpenSSL has a pointer.
    private let context: TLSContext
    private var handshakeError: String?
    /// Nothing may be sent any more, not even a goodbye.
    private var isBroken = false
    package private(set) var isHandshakeDone = false
    /// `nil` while more may come.
    package private(set) var end: End?

    /// - Parameter hostName: the server to reach, a name or an IP address (clients only); it is verified unless the context
    ///   says otherwise.
    package init(_ context: TLSContext, hostName: String? = nil) throws(TLSError) {
        let session = try context.makeSession(hostName: hostName)
        guard let incoming = BIO_new(BIO_s_mem()) else {
            SSL_free(session)
            throw .reported("TLS session")
        }
        guard let outgoing = BIO_new(BIO_s_mem()) else {
            BIO_free(incoming)
            SSL_free(session)
            throw .reported("TLS session")
        }
        SSL_set_bio(session, incoming, outgoing)
        self.session = session
        self.incoming = incoming
        self.outgoing = outgoing
        self.context = context
    }

    deinit { SSL_free(session) }

    /// Takes encrypted bytes of the peer.
    package func receive(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        _ = BIO_write(incoming, bytes, Int32(clamping: bytes.count))
    }

    /// Encrypted bytes for the peer; empty when there are none.
    package func takeOutgoing() -> [UInt8] {
        let waiting = BIO_ctrl_pending(outgoing)
        guard waiting > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: waiting) { buffer, count in
            count = max(0, Int(BIO_read(outgoing, buffer.baseAddress, Int32(clamping: waiting))))
        }
    }

    package func handshake() -> Handshake {
        guard !isHandshakeDone else { return .done }
        if let handshakeError { return .failed(handshakeError) }
        ERR_clear_error()
        let result = SSL_do_handshake(session)
        if result == 1 {
            isHandshakeDone = true
            return .done
        }
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wantsBytes
        default:
            isBroken = true
            var reason = takeOpenSSLErrors()
            let verification = SSL_get_verify_result(session)
            if verification != Int(X509_V_OK), let words = X509_verify_cert_error_string(verification) {
                reason += ": \(String(cString: words))"
            }
            handshakeError = reason
            return .failed(reason)
        }
    }

    /// What the peer has sent, decrypted; `end` says whether more may come.
    package func read() -> [UInt8] {
        var plain: [UInt8] = []
        guard isHandshakeDone else { return plain }
        var block = [UInt8](repeating: 0, count: Self.recordBytes)
        while end == nil {
            ERR_clear_error()
            var count = 0
            if SSL_read_ex(session, &block, block.count, &count) == 1 {
                plain += block[..<count]
                continue
            }
            switch SSL_get_error(session, 0) {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
                return plain
            case SSL_ERROR_ZERO_RETURN:
                end = .closed
            default:
                isBroken = true
                end = .failed(takeOpenSSLErrors())
            }
        }
        return plain
    }

    /// Encrypts, once the handshake is done.
    ///
    /// - Returns: whether it could; after a failure nothing can be sent any more.
    package func write(_ bytes: [UInt8]) -> Bool {
        guard isHandshakeDone, !isBroken else { return false }
        var rest = bytes[...]
        while !rest.isEmpty {
            ERR_clear_error()
            var written = 0
            let result = rest.withUnsafeBytes { SSL_write_ex(session, $0.baseAddress, $0.count, &written) }
            guard result == 1, written > 0 else {
                isBroken = true
                return false
            }
            rest = rest.dropFirst(written)
        }
        return true
    }

    /// Tells the peer that no more bytes come.
    package func shutdown() {
        guard isHandshakeDone, !isBroken, SSL_get_shutdown(session) & SSL_SENT_SHUTDOWN == 0 else { return }
        ERR_clear_error()
        if SSL_shutdown(session) < 0 { ERR_clear_error() }
    }
}
