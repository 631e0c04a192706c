internal import Glibc

/// What a descriptor gives without waiting.
package enum AvailableInput: Equatable, Sendable {
    case bytes([UInt8])
    /// Nothing now; more may come.
    case nothing
    case endOfStream
}

/// Reading and writing of descriptors that this process has not opened itself, such as standard input.
///
/// Their flags are left as they are, because other processes share them: a shell whose terminal became non-blocking is
/// of no use afterwards.
package enum StandardStream {
    package static var input: Int32 { STDIN_FILENO }
    package static var output: Int32 { STDOUT_FILENO }

    /// Reads what is there, at most `limit` bytes, and never waits.
    ///
    /// - Parameter limit: must be positive.
    package static func readAvailable(_ descriptor: Int32, limit: Int) throws(SystemError) -> AvailableInput {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, 0) > 0 else { return .nothing }
        return try read(descriptor, limit: limit)
    }

    /// Reads all bytes up to the end of the stream; waits for them.
    ///
    /// - Returns: `nil` when there are more than `limit`.
    package static func readAll(_ descriptor: Int32, limit: Int) throws(SystemError) -> [UInt8]? {
        var bytes: [UInt8] = []
        while true {
            switch try read(descriptor, limit: 1 << 16) {
            case .bytes(let more): bytes += more
            case .endOfStream: return bytes
            case .nothing:
                var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                _ = poll(&request, 1, -1)
            }
            guard bytes.count <= limit else { return nil }
        }
    }

    /// Reads a file, a pipe or a device.
    ///
    /// - Returns: `nil` when there are more than `limit` bytes.
    package static func readAll(file path: String, limit: Int) throws(SystemError) -> [UInt8]? {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw .current(path) }
        let descriptor = Descriptor(owning: number)
        return try readAll(descriptor.number, limit: limit)
    }

    /// Writes all bytes; waits as long as the reader is slow.
    package static func write(_ bytes: [UInt8], to descriptor: Int32) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if count > 0 {
                written += count
            } else if errno == EAGAIN {
                var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&request, 1, -1)
            } else if errno != EINTR {
                throw .current("write")
            }
        }
    }

    private static func read(_ descriptor: Int32, limit: Int) throws(SystemError) -> AvailableInput {
        var bytes = [UInt8](repeating: 0, count: limit)
        while true {
            let count = Glibc.read(descriptor, &bytes, limit)
            if count > 0 {
                bytes.removeLast(limit - count)
                return .bytes(bytes)
            }
            if count == 0 { return .endOfStream }
            switch errno {
            case EAGAIN: return .nothing
            case EINTR: continue
            default: throw .current("read")
            }
        }
    }
}

extension SystemError {
    /// Whether the reader at the other end of a pipe has gone.
    package var isBrokenPipe: Bool { code == EPIPE }
}
