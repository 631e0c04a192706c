internal import Glibc

/// Where a socket listens or whom it talks to.
package enum SocketAddress: Sendable, Hashable {
    /// The address as a number: 127.0.0.1 is `0x7F00_0001`.
    case ipv4(UInt32, port: UInt16)
    case ipv6(high: UInt64, low: UInt64, port: UInt16, scope: UInt32 = 0)
    /// An empty path is an unnamed socket, as the client's end of a unix connection is.
    case unix(path: String)

    /// Reads `127.0.0.1:1883`, `[::1]:1883` or `unix:/run/apus.sock`; names are not looked up.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, path.utf8.count < 108, !path.utf8.contains(0) else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = UInt16(digits) else {
            return nil
        }
        let host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            self.init(ip: String(host.dropFirst().dropLast()), port: port)
            guard case .ipv6 = self else { return nil }
        } else {
            self.init(ip: String(host), port: port)
            guard case .ipv4 = self else { return nil }
        }
    }

    /// Reads an IPv4 or IPv6 literal without brackets.
    package init?(ip text: String, port: UInt16) {
        // The system would read up to the NUL only.
        guard !text.utf8.contains(0) else { return nil }
        var version4 = in_addr()
        if inet_pton(AF_INET, text, &version4) == 1 {
            self = .ipv4(UInt32(bigEndian: version4.s_addr), port: port)
            return
        }
        var version6 = in6_addr()
        guard inet_pton(AF_INET6, text, &version6) == 1 else { return nil }
        self = .init(version6, port: port, scope: 0)
    }

    private init(_ address: in6_addr, port: UInt16, scope: UInt32) {
        self = withUnsafeBytes(of: address) { bytes in
            .ipv6(
                high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                port: port,
                scope: scope,
            )
        }
    }

    /// The port; 0 for a unix socket.
    package var port: UInt16 {
        switch self {
        case .ipv4(_, let port), .ipv6(_, _, let port, _): port
        case .unix: 0
        }
    }

    /// The address without the port: `127.0.0.1`, `::1`, or a path.
    package var host: String {
        switch self {
        case .ipv4(let address, _):
            return [24, 16, 8, 0].map { "\((address >> $0) & 0xFF)" }.joined(separator: ".")
        case .ipv6(let high, let low, _, _):
            var address = in6_addr()
            withUnsafeMutableBytes(of: &address) { bytes in
                bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
                bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
                guard
                    let end = inet_ntop(AF_INET6, &address, text.baseAddress, socklen_t(INET6_ADDRSTRLEN))
                else { return "?" }
                return String(cString: end)
            }
        case .unix(let path):
            return path
        }
    }

    /// Whether only this machine can be at the other end; an IPv4 address inside IPv6 counts as itself.
    package var isLoopback: Bool {
        switch self {
        case .ipv4(let address, _): address >> 24 == 127
        case .ipv6(let high, let low, _, _): high == 0 && (low == 1 || low >> 24 == 0xFFFF_7F)
        case .unix: true
        }
    }

    package var isUnix: Bool {
        if case .unix = self { return true }
        return false
    }
}

extension SocketAddress: CustomStringConvertible {
    package var description: String {
        switch self {
        case .ipv4(_, let port): "\(host):\(port)"
        case .ipv6(_, _, let port, _): "[\(host)]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

// MARK: - System form

extension SocketAddress {
    var family: Int32 {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// Calls the closure with the address as the system wants it; the pointer holds only during the call.
    func withSystemAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var storage = sockaddr_storage()
        return withUnsafeMutablePointer(to: &storage) { storage in
            let raw = UnsafeMutableRawPointer(storage)
            let length: Int
            switch self {
            case .ipv4(let address, let port):
                let system = raw.assumingMemoryBound(to: sockaddr_in.self)
                system.pointee.sin_family = sa_family_t(AF_INET)
                system.pointee.sin_port = port.bigEndian
                system.pointee.sin_addr.s_addr = address.bigEndian
                length = MemoryLayout<sockaddr_in>.size
            case .ipv6(let high, let low, let port, let scope):
                let system = raw.assumingMemoryBound(to: sockaddr_in6.self)
                system.pointee.sin6_family = sa_family_t(AF_INET6)
                system.pointee.sin6_port = port.bigEndian
                system.pointee.sin6_scope_id = scope
                withUnsafeMutableBytes(of: &system.pointee.sin6_addr) { bytes in
                    bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
                    bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
                }
                length = MemoryLayout<sockaddr_in6>.size
            case .unix(let path):
                let system = raw.assumingMemoryBound(to: sockaddr_un.self)
                system.pointee.sun_family = sa_family_t(AF_UNIX)
                withUnsafeMutableBytes(of: &system.pointee.sun_path) { bytes in
                    // A longer path is cut and leaves its NUL; `Listener` and `init(_:)` refuse such paths first.
                    bytes.copyBytes(from: path.utf8.prefix(bytes.count - 1))
                }
                length = MemoryLayout<sockaddr_un>.size
            }
            return body(UnsafePointer(raw.assumingMemoryBound(to: sockaddr.self)), socklen_t(length))
        }
    }

    /// What the system filled in; nil for a family that we do not know.
    init?(_ storage: borrowing sockaddr_storage, length: socklen_t) {
        let address: SocketAddress? = withUnsafePointer(to: storage) { storage in
            let raw = UnsafeRawPointer(storage)
            switch Int32(storage.pointee.ss_family) {
            case AF_INET:
                let system = raw.assumingMemoryBound(to: sockaddr_in.self).pointee
                return .ipv4(UInt32(bigEndian: system.sin_addr.s_addr), port: UInt16(bigEndian: system.sin_port))
            case AF_INET6:
                let system = raw.assumingMemoryBound(to: sockaddr_in6.self).pointee
                let port = UInt16(bigEndian: system.sin6_port)
                return SocketAddress(system.sin6_addr, port: port, scope: system.sin6_scope_id)
            case AF_UNIX:
                let start = MemoryLayout<sa_family_t>.size
                let bytes = UnsafeRawBufferPointer(start: raw + start, count: max(0, Int(length) - start))
                return .unix(path: String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
            default:
                return nil
            }
        }
        guard let address else { return nil }
        self = address
    }
}
