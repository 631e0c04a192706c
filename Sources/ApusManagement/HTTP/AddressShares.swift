internal import ApusLocks
internal import NIOCore

/// How many connections each address has, so that one does not take them all.
final class AddressShares: Sendable {
    private let most: Int
    private let connections = Guarded<[String: Int]>([:])

    /// - Parameter most: of one address; of IPv6 addresses, of one /64, which is what one host is given.
    init(most: Int) { self.most = most }

    /// Whether the address may have one more, which counts until `close`.
    fileprivate func open(_ address: String) -> Bool {
        connections.withLock { connections in
            guard connections[address, default: 0] < most else { return false }
            connections[address, default: 0] += 1
            return true
        }
    }

    fileprivate func close(_ address: String) {
        connections.withLock { connections in
            let rest = connections[address, default: 0] - 1
            connections[address] = rest > 0 ? rest : nil
        }
    }

    /// What counts as one address.
    static func name(of address: SocketAddress?) -> String {
        guard let host = address?.ipAddress else { return "" }
        // An IPv4 address in disguise; and ::1.
        guard host.contains(":"), !host.hasPrefix("::") else { return host }
        let groups = host.split(separator: ":", omittingEmptySubsequences: false).prefix { !$0.isEmpty }
        return groups.prefix(4).joined(separator: ":")
    }
}

/// Closes a connection that is one too many of its address.
final class AddressShareHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let shares: AddressShares
    private let statistics: APIStatistics
    /// What is to be given back.
    private var address: String?

    init(_ shares: AddressShares, _ statistics: APIStatistics) {
        self.shares = shares
        self.statistics = statistics
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let address = AddressShares.name(of: context.remoteAddress)
        guard !shares.open(address) else { return self.address = address }
        statistics.count(.addressShare)
        context.close(promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        if let address { shares.close(address) }
        address = nil
    }
}
