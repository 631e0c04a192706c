internal import Glibc

/// A blocking TCP connection to loopback with deadlines; closes itself.
final class WireSocket {
    private let descriptor: Int32

    init(port: UInt16) throws {
        // Not inherited: a broker started for another test would keep the connection open.
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ScriptError.system("socket: \(errno)") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw ScriptError.system("connect to port \(port): \(code)")
        }
        // Each step of a script leaves at once.
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(descriptor) }

    /// Sends all; a broker that closed in the meantime is no error here, the next expectation will see it.
    func send(_ bytes: [UInt8]) throws {
        let deadline = Deadline(Patience.answer)
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        var rest = bytes[...]
        while !rest.isEmpty {
            guard try wait(for: POLLOUT, until: deadline) else { throw ScriptError.timedOut("broker does not read") }
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, flags)
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EPIPE || errno == ECONNRESET {
                return
            } else if errno != EINTR && errno != EAGAIN {
                throw ScriptError.system("send: \(errno)")
            }
        }
    }

    /// What has come; empty at the end of the connection, nil when nothing came until the deadline.
    func receive(until deadline: Deadline) throws -> [UInt8]? {
        guard try wait(for: POLLIN, until: deadline) else { return nil }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count >= 0 { return Array(buffer.prefix(count)) }
            if errno == ECONNRESET { return [] }
            if errno != EINTR { throw ScriptError.system("recv: \(errno)") }
        }
    }

    private func wait(for events: Int32, until deadline: Deadline) throws -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        while true {
            let result = poll(&entry, 1, deadline.milliseconds)
            if result >= 0 { return result > 0 }
            if errno != EINTR { throw ScriptError.system("poll: \(errno)") }
        }
    }
}
