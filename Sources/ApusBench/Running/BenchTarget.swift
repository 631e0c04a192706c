package import ApusLoop

/// The broker to load, and how its clients log in.
package struct BenchTarget: Sendable {
    package var address: SocketAddress
    /// For TLS.
    package var tls: TLSContext?
    /// The server's name for TLS.
    package var hostName: String?
    /// `Host` and path of the upgrade; nil without WebSocket.
    package var webSocket: WebSocketPlace?
    package var login: BenchLogin

    package struct WebSocketPlace: Sendable {
        package var host: String
        package var path: String

        package init(host: String, path: String) {
            self.host = host
            self.path = path
        }
    }

    package init(address: SocketAddress, login: BenchLogin = BenchLogin()) {
        self.address = address
        self.login = login
    }

    /// The first of these addresses that takes a connection; the first of all when none does.
    ///
    /// A name such as `localhost` has several, and a broker may listen on one of them only.
    ///
    /// - Parameter addresses: at least one.
    package static func reachable(of addresses: [SocketAddress]) throws(SystemError) -> SocketAddress {
        guard addresses.count > 1 else { return addresses[0] }
        for address in addresses {
            let poller = try Poller()
            do {
                let socket = try Socket.connect(to: address)
                try poller.add(socket.number, token: 0)
                guard poller.wait(timeoutMilliseconds: 3000) > 0 else { continue }
                if Socket.finishConnect(socket.number) == nil { return address }
            } catch {
                continue
            }
        }
        return addresses[0]
    }

    /// How many connections come from one address of our own before the next is taken, where there are several.
    ///
    /// An address has some 28,000 ports, but beyond half of them the kernel searches longer and longer for a free one:
    /// 20,000 connections from one address cost 5.7 s of processor time.
    static let connectionsPerSource = 8000

    /// The address to connect from, for the n-th connection of a thread; nil lets the system choose.
    ///
    /// On loopback every address of 127.0.0.0/8 is our own: 127.64.0.1 and up, others for each thread.
    func source(thread: Int, connection: Int) -> SocketAddress? {
        guard case .ipv4(let number, _) = address, number >> 24 == 127 else { return nil }
        let block = UInt32(connection / Self.connectionsPerSource % 250 + 1)
        return .ipv4(0x7F40_0000 | UInt32(thread) << 8 | block, port: 0)
    }
}

/// User name and password of each client.
package struct BenchLogin: Sendable {
    /// With the placeholders of client ids.
    package var userName: String?
    /// The password for a client id.
    package var password: @Sendable (_ clientID: String) -> [UInt8]?

    package init(
        userName: String? = nil,
        password: @escaping @Sendable (_ clientID: String) -> [UInt8]? = { _ in nil },
    ) {
        self.userName = userName
        self.password = password
    }
}
