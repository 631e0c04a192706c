/// What a proxy tells about the connection that it passes on (PROXY protocol, versions 1 and 2).
public struct ProxyHeader: Sendable, Hashable {
    /// Whom the proxy speaks for.
    public enum Source: Sendable, Hashable {
        /// The proxy itself, as for a health check, or a peer that it knows nothing of: the socket's own address counts.
        case local
        /// An IPv4 or IPv6 address in its canonical text form (RFC 5952).
        case internet(address: String, port: UInt16)
        /// A socket in the file system; the path may be empty.
        case unix(path: String)
    }

    /// Whom the proxy speaks for.
    public var source: Source
    /// The server name that the client asked for in TLS; nil where the proxy did not tell or it is not UTF-8.
    public var authority: String?
    /// The common name of the client's certificate, only where the proxy has verified it.
    public var certificateCommonName: String?
    /// How many bytes the header has; what stands behind them is the client's.
    public var consumed: Int

    init(source: Source, consumed: Int) {
        self.source = source
        self.consumed = consumed
    }

    /// The header once it is complete; nil while more bytes are needed.
    ///
    /// Strict and bounded: version 1 is read up to 107 bytes, version 2 up to 4 KiB, and bytes that can be neither are
    /// refused at the first that is wrong, so that a client that reaches the port without a proxy is told at once.
    ///
    /// - Parameter bytes: everything received so far, always from the first byte.
    public static func parse(_ bytes: Span<UInt8>) throws(ProxyProtocolError) -> ProxyHeader? {
        guard !bytes.isEmpty else { return nil }
        return bytes[0] == ProxyLine.signature[0] ? try ProxyLine.parse(bytes) : try ProxyBlock.parse(bytes)
    }
}

extension Span<UInt8> {
    /// Whether the bytes so far are those of `signature`, complete or not.
    func agrees(with signature: [UInt8]) -> Bool {
        (0..<Swift.min(count, signature.count)).allSatisfy { self[$0] == signature[$0] }
    }

    func array() -> [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(count)
        for index in indices { copy.append(self[index]) }
        return copy
    }
}
