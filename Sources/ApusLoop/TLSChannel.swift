internal import COpenSSL
internal import Glibc

/// How OpenSSL reaches the socket of one session: a BIO of our own.
///
/// It differs from OpenSSL's socket BIO in two things. It sends with MSG_NOSIGNAL, so a closed peer raises no SIGPIPE.
/// And after a short read it knows that the socket is drained and says "try later" without a system call, until the
/// session starts its next read; that saves one call for each message.
struct TLSChannel {
    var descriptor: Int32
    /// The last receive took all that was there.
    var isDrained = false
    /// Error number of the last failed call; 0 if none failed.
    var failure: Int32 = 0
    var isAtEnd = false

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// Makes the BIO; whoever gets it frees it, and keeps the channel at its address until then.
    static func makeBIO(for channel: UnsafeMutablePointer<TLSChannel>) -> OpaquePointer? {
        guard let method = bioMethod.pointer, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, channel)
        BIO_set_init(bio, 1)
        return bio
    }

    private static let bioMethod = BIOMethod()
}

/// The table of functions of our BIO, made once and never freed.
private struct BIOMethod: @unchecked Sendable {
    // @unchecked: written in init only; BIO_new reads it.
    let pointer: OpaquePointer?

    init() {
        let kind = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        pointer = BIO_meth_new(kind, "apus socket")
        guard let pointer else { return }
        BIO_meth_set_read(pointer, receive)
        BIO_meth_set_write(pointer, send)
        BIO_meth_set_ctrl(pointer, control)
    }
}

private func channel(of bio: OpaquePointer?) -> UnsafeMutablePointer<TLSChannel>? {
    BIO_get_data(bio)?.assumingMemoryBound(to: TLSChannel.self)
}

private func receive(_ bio: OpaquePointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ count: Int32) -> Int32 {
    guard let channel = channel(of: bio), let buffer, count > 0 else { return 0 }
    apus_BIO_clear_retry(bio)
    if channel.pointee.isDrained {
        apus_BIO_set_retry_read(bio)
        return -1
    }
    while true {
        let received = recv(channel.pointee.descriptor, buffer, Int(count), 0)
        if received > 0 {
            channel.pointee.isDrained = received < Int(count)
            return Int32(truncatingIfNeeded: received)
        }
        if received == 0 {
            channel.pointee.isAtEnd = true
            return 0
        }
        switch errno {
        case EINTR:
            continue
        case EAGAIN:
            channel.pointee.isDrained = true
            apus_BIO_set_retry_read(bio)
        default:
            channel.pointee.failure = errno
        }
        return -1
    }
}

private func send(_ bio: OpaquePointer?, _ buffer: UnsafePointer<CChar>?, _ count: Int32) -> Int32 {
    guard let channel = channel(of: bio), let buffer, count > 0 else { return 0 }
    apus_BIO_clear_retry(bio)
    while true {
        let sent = Glibc.send(channel.pointee.descriptor, buffer, Int(count), Int32(MSG_NOSIGNAL))
        if sent >= 0 { return Int32(truncatingIfNeeded: sent) }
        switch errno {
        case EINTR:
            continue
        case EAGAIN:
            apus_BIO_set_retry_write(bio)
        default:
            channel.pointee.failure = errno
        }
        return -1
    }
}

private func control(
    _ bio: OpaquePointer?,
    _ command: Int32,
    _ number: Int,
    _ pointer: UnsafeMutableRawPointer?,
) -> Int {
    switch command {
    case BIO_CTRL_FLUSH: 1
    case BIO_CTRL_EOF: channel(of: bio)?.pointee.isAtEnd == true ? 1 : 0
    default: 0
    }
}
