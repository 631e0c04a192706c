internal import CLinux
internal import Glibc

/// A socket that takes connections; owned by one thread, level-triggered in its poller.
package struct Listener: ~Copyable {
    /// What one call of `accept` brought.
    package enum Accepted: ~Copyable {
        /// Non-blocking; TCP_NODELAY is set.
        case connection(Descriptor, peer: SocketAddress)
        /// Nobody waits.
        case nobody
        /// This process or the system has no descriptor left (EMFILE, ENFILE, ENOBUFS, ENOMEM). The connection still
        /// waits and a level-triggered poller says so at once again: back off, or call `refuseOne()`.
        case exhausted(SystemError)
        case failed(SystemError)
    }

    private let descriptor: Descriptor
    /// A descriptor in reserve: it is closed to be able to accept and close a connection when no other is left, so that
    /// the peer learns at once that it cannot be served.
    private var spare: Descriptor?
    /// The socket file to remove at the end, for a unix socket of ours.
    private let ownedPath: String?

    /// Where it listens, with the port that the system chose.
    package let address: SocketAddress

    /// Binds and listens.
    ///
    /// - Parameters:
    ///   - sharesPort: several listeners of this process share an address and the kernel spreads connections over them
    ///     (SO_REUSEPORT). Not for unix sockets; use `duplicate()` there.
    ///   - unixMode: permissions of the socket file.
    package init(
        _ address: SocketAddress,
        sharesPort: Bool = false,
        backlog: Int32 = 4096,
        unixMode: UInt32 = 0o600,
    ) throws(SystemError) {
        let descriptor = try Socket.make(family: address.family)
        switch address {
        case .ipv4, .ipv6:
            _ = Socket.setOption(descriptor.number, SOL_SOCKET, SO_REUSEADDR, 1)
            if sharesPort, !Socket.setOption(descriptor.number, SOL_SOCKET, SO_REUSEPORT, 1) {
                throw .current("setsockopt SO_REUSEPORT")
            }
            if address.family == AF_INET6 {
                _ = Socket.setOption(descriptor.number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
            }
        case .unix(let path):
            guard !path.isEmpty, path.utf8.count < 108, !path.utf8.contains(0) else {
                throw SystemError(code: ENAMETOOLONG, call: "bind \(address)")
            }
            try UnixSocketFile.removeStale(path)
            // The file gets this mode (less the umask) in the moment in which bind creates it.
            _ = fchmod(descriptor.number, mode_t(unixMode))
        }
        guard address.withSystemAddress({ bind(descriptor.number, $0, $1) }) == 0 else {
            throw .current("bind \(address)")
        }
        if case .unix(let path) = address { _ = chmod(path, mode_t(unixMode)) }
        guard listen(descriptor.number, backlog) == 0 else { throw .current("listen \(address)") }
        self.address = Socket.localAddress(descriptor.number) ?? address
        self.ownedPath = if case .unix(let path) = address { path } else { nil }
        self.descriptor = descriptor
        self.spare = Self.openSpare()
    }

    private init(sharing descriptor: consuming Descriptor, address: SocketAddress) {
        self.descriptor = descriptor
        self.address = address
        self.ownedPath = nil
        self.spare = Self.openSpare()
    }

    deinit {
        if let ownedPath { _ = unlink(ownedPath) }
    }

    /// For `Poller.addLevelTriggered`.
    package var fileDescriptor: Int32 { descriptor.number }

    /// A listener for another thread on the same socket; it does not remove the socket file at its end.
    package func duplicate() throws(SystemError) -> Listener {
        Listener(sharing: try descriptor.duplicate(), address: address)
    }

    /// Takes the next waiting connection.
    package func accept() -> Accepted {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // Bounded: every further attempt is a connection that ended while it waited.
        for _ in 0..<128 {
            let number = withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    accept4(
                        descriptor.number,
                        $0,
                        &length,
                        Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue),
                    )
                }
            }
            if number >= 0 {
                let peer = SocketAddress(storage, length: length) ?? .unix(path: "")
                if !peer.isUnix { Socket.setNoDelay(number) }
                return .connection(Descriptor(owning: number), peer: peer)
            }
            switch errno {
            case EAGAIN:
                return .nobody
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                return .exhausted(.current("accept"))
            case EBADF, EINVAL, ENOTSOCK, EFAULT, EOPNOTSUPP:
                return .failed(.current("accept"))
            default:
                // ECONNABORTED, EINTR, EPERM and pending network errors of that one connection (see accept(2)).
                continue
            }
        }
        return .nobody
    }

    /// Accepts and closes one connection with the reserved descriptor; false when that is not possible either.
    package mutating func refuseOne() -> Bool {
        // Assigning nil closes the spare one.
        spare = nil
        let number = accept4(descriptor.number, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
        if number >= 0 { _ = close(number) }
        spare = Self.openSpare()
        return number >= 0
    }

    private static func openSpare() -> Descriptor? {
        let number = open("/dev/null", O_RDONLY | O_CLOEXEC)
        return number >= 0 ? Descriptor(owning: number) : nil
    }
}

/// The file of a unix socket.
enum UnixSocketFile {
    /// Removes a socket file that a dead process left; throws when somebody answers or it is no socket.
    static func removeStale(_ path: String) throws(SystemError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw SystemError(code: EEXIST, call: "bind unix:\(path)") }
        let probe = try Socket.make(family: AF_UNIX)
        let result = SocketAddress.unix(path: path).withSystemAddress { connect(probe.number, $0, $1) }
        guard result != 0, errno == ECONNREFUSED else { throw SystemError(code: EADDRINUSE, call: "bind unix:\(path)") }
        guard unlink(path) == 0 || errno == ENOENT else { throw .current("unlink \(path)") }
    }
}
