internal import Glibc

/// Calls on sockets; all sockets are non-blocking and closed on exec.
package enum Socket {
    /// `SOCK_STREAM` with the flags of every socket here.
    static var streamType: Int32 {
        Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    }

    static func make(family: Int32) throws(SystemError) -> Descriptor {
        let number = socket(family, streamType, 0)
        guard number >= 0 else { throw .current("socket") }
        return Descriptor(owning: number)
    }

    /// Sends small packets at once; harmless, and without effect, on a unix socket.
    package static func setNoDelay(_ descriptor: Int32) {
        _ = setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// Makes the kernel probe a silent peer and end the connection when it does not answer.
    ///
    /// The connection is dead after `idleSeconds + intervalSeconds * count`, also when unacknowledged bytes wait.
    /// Without effect on a unix socket.
    package static func probe(_ descriptor: Int32, idleSeconds: Int32, intervalSeconds: Int32, count: Int32) {
        let tcp = Int32(IPPROTO_TCP)
        _ = setOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        _ = setOption(descriptor, tcp, TCP_KEEPIDLE, max(1, idleSeconds))
        _ = setOption(descriptor, tcp, TCP_KEEPINTVL, max(1, intervalSeconds))
        _ = setOption(descriptor, tcp, TCP_KEEPCNT, max(1, count))
        let (seconds, isOver) = intervalSeconds.multipliedReportingOverflow(by: count)
        let total = isOver ? Int64(Int32.max) : (Int64(idleSeconds) + Int64(seconds)) * 1000
        _ = setOption(descriptor, tcp, TCP_USER_TIMEOUT, Int32(clamping: total))
    }

    /// Tells the peer that no more bytes come; reading goes on.
    package static func shutdownWriting(_ descriptor: Int32) {
        _ = shutdown(descriptor, Int32(SHUT_WR))
    }

    /// The address that a socket is bound to, with the port that the system chose.
    package static func localAddress(_ descriptor: Int32) -> SocketAddress? {
        address(descriptor, getsockname)
    }

    /// The peer's address; nil when the connection is over.
    package static func peerAddress(_ descriptor: Int32) -> SocketAddress? {
        address(descriptor, getpeername)
    }

    /// Two sockets connected to each other, without any network.
    package static func pair() throws(SystemError) -> SocketPair {
        var numbers: (Int32, Int32) = (-1, -1)
        let result = withUnsafeMutablePointer(to: &numbers) { pointer in
            pointer.withMemoryRebound(to: Int32.self, capacity: 2) { socketpair(AF_UNIX, streamType, 0, $0) }
        }
        guard result == 0 else { throw .current("socketpair") }
        return SocketPair(first: Descriptor(owning: numbers.0), second: Descriptor(owning: numbers.1))
    }

    // MARK: - Connecting

    /// Begins to connect; wait until the descriptor is writable, then ask `finishConnect`.
    package static func connect(to address: SocketAddress) throws(SystemError) -> Descriptor {
        let descriptor = try make(family: address.family)
        let result = address.withSystemAddress { Glibc.connect(descriptor.number, $0, $1) }
        // EAGAIN is a unix socket whose backlog is full; only there it is no promise of a later connection.
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else { throw .current("connect \(address)") }
        setNoDelay(descriptor.number)
        return descriptor
    }

    /// Why connecting failed, or nil if the connection stands.
    package static func finishConnect(_ descriptor: Int32) -> SystemError? {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else { return .current("getsockopt") }
        return code == 0 ? nil : SystemError(code: code, call: "connect")
    }

    /// Looks a name up; blocks, perhaps for seconds: for the client tools and at start only.
    package static func resolve(host: String, port: UInt16) throws(NameError) -> [SocketAddress] {
        if let literal = SocketAddress(ip: host, port: port) { return [literal] }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else { throw NameError(host: host, reason: String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ai_next
            guard let system = entry.pointee.ai_addr else { continue }
            var storage = sockaddr_storage()
            let length = min(Int(entry.pointee.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
            withUnsafeMutableBytes(of: &storage) {
                $0.copyMemory(from: UnsafeRawBufferPointer(start: system, count: length))
            }
            guard let address = SocketAddress(storage, length: entry.pointee.ai_addrlen) else { continue }
            found.append(address.withPort(port))
        }
        guard !found.isEmpty else { throw NameError(host: host, reason: "no address") }
        return found
    }

    // MARK: - Options

    static func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32) -> Bool {
        var value = value
        return setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
    }

    private static func address(
        _ descriptor: Int32,
        _ call: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32,
    ) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(descriptor, $0, &length) }
        }
        return result == 0 ? SocketAddress(storage, length: length) : nil
    }
}

/// Both ends of `Socket.pair()`.
package struct SocketPair: ~Copyable {
    package let first: Descriptor
    package let second: Descriptor
}

/// A host name that could not be looked up.
package struct NameError: Error, Equatable, Sendable, CustomStringConvertible {
    package let host: String
    package let reason: String

    package var description: String { "\(host): \(reason)" }
}

extension SocketAddress {
    /// The same host with another port; a unix socket stays as it is.
    package func withPort(_ port: UInt16) -> SocketAddress {
        switch self {
        case .ipv4(let address, _): .ipv4(address, port: port)
        case .ipv6(let high, let low, _, let scope): .ipv6(high: high, low: low, port: port, scope: scope)
        case .unix: self
        }
    }
}
