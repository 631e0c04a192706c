package import ApusMemory
internal import COpenSSL
internal import Glibc

/// One TLS connection over a non-blocking socket.
///
/// Used by one thread at a time, its connection's shard; the session may be handed to another thread through a
/// `Mailbox`. The socket is not owned: close it after the session is gone. Made for an edge-triggered poller: after any
/// event call `handshake()` until it is done, then `read` until drained, then `write` if something is unsent. (A write may
/// wait for bytes to read and the other way round; whoever tries both after any event need not care.)
package final class TLSSession: @unchecked Sendable {
    // @unchecked: not protected; one thread at a time uses it, and the mailbox's lock orders the hand-over.

    /// How far the handshake is.
    package enum Handshake: Equatable, Sendable {
        /// Bytes of the application may have come with the last handshake bytes: call `read` at once.
        case done
        case wantsRead
        case wantsWrite
        /// With OpenSSL's reason; the peer was told by an alert if that was possible.
        case failed(String)
    }

    /// Whose authorities a certificate was verified by.
    enum PeerTrust {
        /// Those of the context's own file.
        case configured
        case registered
    }

    let session: OpaquePointer
    private let channel: UnsafeMutablePointer<TLSChannel>
    /// Keeps the table of server names alive, into which OpenSSL has a pointer.
    let context: TLSContext
    /// Nothing may be sent any more, not even a goodbye.
    private var isBroken = false
    private var handshakeError: String?
    /// How many bytes the record has that OpenSSL could not send yet.
    private var pendingBytes = 0
    /// How reading ended, once it has.
    private var readEnd: ReadResult?
    package private(set) var isHandshakeDone = false
    /// Whose authorities stand behind the peer's certificate.
    var peerTrust = PeerTrust.configured
    /// Why the peer's certificate does not verify, where the context lets such ones pass; nil when it does.
    package internal(set) var certificateFault: String?

    /// - Parameters:
    ///   - descriptor: must stay open as long as the session lives.
    ///   - hostName: the server to reach, a name or an IP address (clients only); it is verified unless the context says
    ///     otherwise.
    package init(_ context: TLSContext, descriptor: Int32, hostName: String? = nil) throws(TLSError) {
        let session = try context.makeSession(hostName: hostName)
        let channel = UnsafeMutablePointer<TLSChannel>.allocate(capacity: 1)
        channel.initialize(to: TLSChannel(descriptor: descriptor))
        self.session = session
        self.channel = channel
        self.context = context
        guard let bio = TLSChannel.makeBIO(for: channel) else { throw .reported("TLS session") }
        // The session owns the BIO from here, as reader and writer.
        SSL_set_bio(session, bio, bio)
        guard context.isServer else { return }
        // What callbacks find it by; it is there as long as the session of OpenSSL.
        SSL_set_ex_data(session, 0, Unmanaged.passUnretained(self).toOpaque())
        askForCertificate()
    }

    deinit {
        SSL_free(session)
        channel.deallocate()
    }

    // MARK: - Handshake

    package func handshake() -> Handshake {
        guard !isHandshakeDone else { return .done }
        if let handshakeError { return .failed(handshakeError) }
        begin()
        let result = SSL_do_handshake(session)
        if result == 1 {
            isHandshakeDone = true
            return .done
        }
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        default:
            isBroken = true
            let reason = handshakeFailure()
            handshakeError = reason
            return .failed(reason)
        }
    }

    private func handshakeFailure() -> String {
        if channel.pointee.failure != 0 {
            return SystemError(code: channel.pointee.failure, call: "TLS handshake").description
        }
        let verification = SSL_get_verify_result(session)
        if verification != Int(X509_V_OK), let reason = X509_verify_cert_error_string(verification) {
            return "\(takeOpenSSLErrors()): \(String(cString: reason))"
        }
        if ERR_peek_error() == 0, channel.pointee.isAtEnd { return "the peer closed during the TLS handshake" }
        return takeOpenSSLErrors()
    }

    // MARK: - Reading

    /// Decrypts into the buffer, behind its first `kept` bytes, until nothing has come or the buffer is full.
    ///
    /// When the result says that there is more, no edge will tell: read again.
    package func read(into buffer: inout ReadBuffer, keeping kept: Int = 0) -> ReadResult {
        precondition(kept >= 0 && kept <= buffer.count && kept < buffer.capacity, "Kept bytes must leave room.")
        buffer.count = kept
        if let readEnd { return readEnd }
        begin()
        while buffer.count < buffer.capacity {
            var count = 0
            let room = buffer.capacity - buffer.count
            guard SSL_read_ex(session, buffer.base + buffer.count, room, &count) == 1 else {
                return endOfRead(after: buffer.count - kept)
            }
            buffer.count += count
            if channel.pointee.isDrained, SSL_has_pending(session) == 0 {
                return .bytes(buffer.count - kept, more: false)
            }
        }
        return .bytes(buffer.count - kept, more: true)
    }

    private func endOfRead(after count: Int) -> ReadResult {
        switch SSL_get_error(session, 0) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
            return count > 0 ? .bytes(count, more: false) : .wouldBlock
        default:
            // With TLS 1.3 a server's refusal, of a client without a certificate for one, comes after the handshake only.
            let isRefusal = !context.isServer && Self.isAlert(ERR_peek_error())
            let hasEnded = SSL_get_shutdown(session) & SSL_RECEIVED_SHUTDOWN != 0 || channel.pointee.isAtEnd
            let isOver = hasEnded && !isRefusal
            let end: ReadResult = isOver ? .endOfStream : .failed(failure())
            readEnd = end
            // What was read comes first; the next call reports the end.
            return count > 0 ? .bytes(count, more: true) : end
        }
    }

    /// Whether an error of OpenSSL is an alert of the peer, other than a goodbye.
    private static func isAlert(_ error: UInt) -> Bool { error != 0 && ERR_GET_REASON(error) > SSL_AD_REASON_OFFSET }

    // MARK: - Writing

    /// Encrypts and sends until the queue is empty or the socket blocks.
    ///
    /// Small segments are gathered into records of at most 16 KiB. Between a `.blocked` and the next call bytes may be
    /// appended to the queue, but none of its bytes removed or put before the first.
    package func write(_ queue: inout OutputQueue, _ pool: inout ChunkPool) -> SendResult {
        guard !isBroken else { return .failed(.system(SystemError(code: EPIPE, call: "TLS write"))) }
        guard !queue.isEmpty else { return .sentAll(0) }
        begin()
        return withUnsafeTemporaryAllocation(of: iovec.self, capacity: 64) { vectors in
            var total = 0
            while !queue.isEmpty {
                let filled = queue.fill(vectors)
                let sent = write(vectors[..<filled])
                guard sent > 0 else {
                    switch SSL_get_error(session, 0) {
                    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .blocked(total)
                    default: return .failed(failure())
                    }
                }
                queue.removeFirst(sent, pool: &pool)
                total += sent
            }
            return .sentAll(total)
        }
    }

    private static let recordBytes = 16 * 1024

    /// Sends one record with the first bytes of the vectors and returns its length; 0 if that was not possible.
    private func write(_ vectors: Slice<UnsafeMutableBufferPointer<iovec>>) -> Int {
        guard let first = vectors.first else { return 0 }
        if vectors.count == 1 || first.iov_len >= Self.recordBytes {
            return writeRecord(first.iov_base, min(first.iov_len, Self.recordBytes))
        }
        return withUnsafeTemporaryAllocation(byteCount: Self.recordBytes, alignment: 16) { scratch in
            var filled = 0
            for vector in vectors {
                guard let base = vector.iov_base, filled < scratch.count else { break }
                let part = UnsafeRawBufferPointer(start: base, count: min(vector.iov_len, scratch.count - filled))
                UnsafeMutableRawBufferPointer(rebasing: scratch[filled...]).copyMemory(from: part)
                filled += part.count
            }
            return writeRecord(scratch.baseAddress, filled)
        }
    }

    private func writeRecord(_ base: UnsafeRawPointer?, _ count: Int) -> Int {
        // A record that OpenSSL holds back covers the first bytes of the queue, so they must still be there.
        precondition(count >= pendingBytes, "Bytes were removed from a queue whose record is under way.")
        var written = 0
        if SSL_write_ex(session, base, count, &written) == 1 {
            pendingBytes = 0
            return written
        }
        if SSL_get_error(session, 0) == SSL_ERROR_WANT_WRITE { pendingBytes = max(pendingBytes, count) }
        return 0
    }

    /// Tells the peer that no more bytes come, if the socket takes it now; call it when the queue is empty.
    package func shutdown() {
        guard isHandshakeDone, !isBroken, SSL_get_shutdown(session) & SSL_SENT_SHUTDOWN == 0 else { return }
        begin()
        if SSL_shutdown(session) < 0 { ERR_clear_error() }
    }

    // MARK: - Errors

    /// Prepares a call to OpenSSL: its error queue belongs to the thread, and an event may have filled the socket.
    private func begin() {
        ERR_clear_error()
        channel.pointee.isDrained = false
    }

    private func failure() -> StreamFailure {
        isBroken = true
        let code = channel.pointee.failure
        return code != 0 ? .system(SystemError(code: code, call: "TLS")) : .tls(takeOpenSSLErrors())
    }
}
