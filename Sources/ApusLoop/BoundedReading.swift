internal import Glibc

// Reads that take less than the buffer holds: from peers that are not known yet.

extension ReadBuffer {
    /// Reads once from a socket, at most `limit` bytes, to the start of the buffer.
    ///
    /// - Parameter limit: must be positive.
    package mutating func receive(_ descriptor: Int32, limit: Int) -> ReadResult {
        receive(descriptor, limit: limit, flags: 0)
    }

    /// Shows the first bytes that wait in a socket and leaves them there, at most `limit`.
    ///
    /// For a header in front of bytes that another layer reads from the socket itself. An edge does not come again for
    /// bytes that were seen already, only for further ones.
    package mutating func peek(_ descriptor: Int32, limit: Int) -> ReadResult {
        receive(descriptor, limit: limit, flags: Int32(MSG_PEEK))
    }

    private mutating func receive(_ descriptor: Int32, limit: Int, flags: Int32) -> ReadResult {
        precondition(limit > 0, "A read of nothing looks like the end of the stream.")
        let room = min(limit, capacity)
        count = 0
        while true {
            let received = recv(descriptor, base, room, flags)
            if received > 0 {
                count = received
                return .bytes(received, more: received == room)
            }
            if received == 0 { return .endOfStream }
            switch errno {
            case EAGAIN: return .wouldBlock
            case EINTR: continue
            default: return .failed(.system(.current("recv")))
            }
        }
    }
}

extension Socket {
    /// Asks for a send buffer of this size; the kernel doubles it and has a minimum.
    ///
    /// For tests of slow peers.
    package static func setSendBuffer(_ descriptor: Int32, bytes: Int) {
        _ = setOption(descriptor, SOL_SOCKET, SO_SNDBUF, Int32(clamping: bytes))
    }

    /// Has the peer asked after one second of silence, and twice more: a dead one is gone after some four.
    package static func probe(_ descriptor: Int32) {
        _ = setOption(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 1)
        _ = setOption(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 1)
        _ = setOption(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, 3)
        // Bytes that wait for their acknowledgement keep the kernel from asking.
        _ = setOption(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 4_000)
        _ = setOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
    }

    /// Asks for a receive buffer of this size; before connecting, so that it bounds the window.
    package static func setReceiveBuffer(_ descriptor: Int32, bytes: Int) {
        _ = setOption(descriptor, SOL_SOCKET, SO_RCVBUF, Int32(clamping: bytes))
    }
}
