package import ApusMemory
internal import Glibc

/// What sending a queue came to; the queue holds what was not sent.
package enum SendResult: Equatable, Sendable {
    /// The queue is empty; this many bytes went out.
    case sentAll(Int)
    /// The peer or the network takes no more now; an edge tells when to go on. This many bytes went out.
    case blocked(Int)
    case failed(StreamFailure)
}

extension Socket {
    /// Sends until the queue is empty or the socket blocks, up to 64 segments with one call.
    package static func send(_ descriptor: Int32, _ queue: inout OutputQueue, _ pool: inout ChunkPool) -> SendResult {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: 64) { vectors in
            var total = 0
            while !queue.isEmpty {
                let sent = send(descriptor, vectors, count: queue.fill(vectors))
                guard sent >= 0 else {
                    switch errno {
                    case EAGAIN: return .blocked(total)
                    case EINTR: continue
                    default: return .failed(.system(.current("send")))
                    }
                }
                queue.removeFirst(sent, pool: &pool)
                total += sent
            }
            return .sentAll(total)
        }
    }

    private static func send(_ descriptor: Int32, _ vectors: UnsafeMutableBufferPointer<iovec>, count: Int) -> Int {
        // A single piece, which most packets are, costs the kernel less without a list.
        if count == 1 { return Glibc.send(descriptor, vectors[0].iov_base, vectors[0].iov_len, Int32(MSG_NOSIGNAL)) }
        var message = msghdr()
        message.msg_iov = vectors.baseAddress
        message.msg_iovlen = count
        return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
    }
}
