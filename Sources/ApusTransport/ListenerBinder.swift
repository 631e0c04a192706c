internal import ApusLoop
internal import Glibc

/// Binds one listener for all loops, and says what to do where that fails.
struct ListenerBinder {
    private let listener: ListenerConfiguration

    init(_ listener: ListenerConfiguration) { self.listener = listener }

    /// Binds, and gives each loop its socket; a unix socket belongs to the first loop alone.
    func bind(into seeds: [SeedBox], index: Int) throws(TransportError) -> ListenerGate {
        let context = try makeContext().map { TLSContextBox($0) }
        let address = try resolve()
        do {
            let isShared = seeds.count > 1 && !address.isUnix
            if isShared, address.port != 0 {
                // Sockets that share a port also share it with another process that does; without sharing the kernel
                // says that the port is taken.
                _ = try Listener(address)
            }
            let first = try Listener(address, sharesPort: isShared, unixMode: listener.unixMode)
            let bound = first.address
            var configuration = listener
            if !bound.isUnix { configuration.address = .internet(host: bound.host, port: bound.port) }
            let gate = ListenerGate(configuration, index: index, context: context)
            try seeds[0].add(first, gate)
            if isShared {
                for seed in seeds.dropFirst() { try seed.add(Listener(bound, sharesPort: true), gate) }
            }
            return gate
        } catch {
            throw failure(error)
        }
    }

    /// Finds out whether the listener could be bound now, and leaves nothing behind; a unix socket is left alone.
    func examine() throws(TransportError) {
        _ = try makeContext()
        let address = try resolve()
        guard !address.isUnix, address.port != 0 else { return }
        do {
            _ = try Listener(address)
        } catch {
            throw failure(error)
        }
    }

    private func failure(_ error: SystemError) -> TransportError {
        TransportError(listener: listener, error.description, advice: advice(on: error))
    }

    /// The certificate of a secure listener as its files are now; nil for the other kinds.
    func makeContext() throws(TransportError) -> TLSContext? {
        guard listener.kind.isSecure else { return nil }
        guard let settings = listener.tls else {
            throw TransportError(listener: listener, "no certificate", advice: "name a certificate and a key file")
        }
        do {
            return try TLSContext(server: settings)
        } catch {
            throw TransportError(
                listener: listener,
                error.description,
                advice: "the files must be PEM and readable by this user",
            )
        }
    }

    private func resolve() throws(TransportError) -> SocketAddress {
        switch listener.address {
        case .unix(let path):
            return .unix(path: path)
        case .internet(let host, let port):
            do {
                let found = try Socket.resolve(host: host, port: port)
                // `localhost` has two addresses; most programs mean and try the older one.
                let version4 = found.first { if case .ipv4 = $0 { true } else { false } }
                if let address = version4 ?? found.first { return address }
            } catch {
                throw TransportError(listener: listener, error.description, advice: "use an IP address")
            }
            throw TransportError(listener: listener, "\(host) has no address", advice: "use an IP address")
        }
    }

    private func advice(on error: SystemError) -> String {
        var isUnix = false
        if case .unix = listener.address { isUnix = true }
        return switch error.code {
        case EADDRINUSE where isUnix: "is another process listening? `ss -lxp` names it"
        case EADDRINUSE:
            "is another process listening? `ss -ltp` names it; end it, or take another port with --listen or `listeners`"
        case EACCES where isUnix: "this user may not write to the folder"
        case EACCES: "ports below 1024 need the capability CAP_NET_BIND_SERVICE; or choose a port above"
        case EADDRNOTAVAIL: "this machine does not have that address; 0.0.0.0 or :: stands for all it has"
        case EAFNOSUPPORT: "this machine has no such network; use an IPv4 address"
        case EEXIST: "a file that is no socket stands there; remove it or choose another path"
        case ENOENT: "the folder does not exist"
        case ENAMETOOLONG: "the path of a unix socket has 1 to 107 bytes"
        case EMFILE, ENFILE: "raise the limit of open files (ulimit -n)"
        default: ""
        }
    }
}
