import ApusBroker
import ApusLocks
import ApusLoop
import ApusMessage
import ApusStore
import Testing

@testable import ApusTransport

/// A whole broker on ephemeral loopback ports, for one test.
final class TestServer: Sendable {
    let server: TransportServer
    let endpoints: [TransportServer.Endpoint]
    let log: EventLog
    let authenticator: AllowEverybody

    init(
        _ listeners: [ListenerConfiguration] = [.local(.tcp)],
        shards: Int = 2,
        limits: Limits = Limits(),
        instances: (any InstanceResolver)? = nil,
        configure: (inout TransportConfiguration) -> Void = { _ in },
    ) throws {
        var broker = BrokerConfiguration(shardCount: shards, seed: 1)
        broker.limits = limits
        broker.statisticsSeconds = 0
        let log = EventLog()
        let authenticator = AllowEverybody()
        var configuration = TransportConfiguration(listeners: listeners, shardCount: shards)
        configure(&configuration)
        let shared = Broker(
            configuration: broker,
            authenticator: authenticator,
            authorizer: nil,
            events: log,
            instances: instances,
        )
        server = TransportServer(configuration, broker: shared) { index, now in
            Shard(index: index, broker: shared, store: MemoryStore(), now: now)
        }
        self.log = log
        self.authenticator = authenticator
        endpoints = try server.start()
    }

    deinit { stop() }

    func stop(grace: Duration = .zero) {
        server.shutdown(grace: grace)
        server.join()
    }

    var port: UInt16 { endpoints[0].port }

    func client(_ index: Int = 0) throws -> RawClient { try RawClient(port: endpoints[index].port) }
}

extension ListenerConfiguration {
    static func local(_ kind: Kind, name: String = "test", host: String = "127.0.0.1") -> ListenerConfiguration {
        ListenerConfiguration(name: name, kind: kind, address: .internet(host: host, port: 0))
    }
}

/// Lets everybody in and remembers who came.
final class AllowEverybody: Authenticator {
    private let requests = Guarded<[AuthenticationRequest]>([])

    var peers: [Peer] { requests.withLock { $0.map(\.peer) } }

    func authenticate(_ request: AuthenticationRequest, reply: @escaping @Sendable (AuthenticationOutcome) -> Void) {
        requests.withLock { $0.append(request) }
        reply(.accepted(Principal(clientID: request.clientID, userName: request.userName)))
    }

    func enhancedAuthentication(
        method: String,
        request: AuthenticationRequest,
    ) -> (any EnhancedAuthentication)? { nil }
}

/// Keeps all events.
final class EventLog: EventSink {
    private let events = Guarded<[BrokerEvent]>([])

    func record(_ event: BrokerEvent) { events.withLock { $0.append(event) } }

    func named(_ name: String) -> [BrokerEvent] { events.withLock { $0.filter { $0.name == name } } }

    /// One field of all events of a name.
    func values(_ name: String, _ field: String) -> [String] {
        named(name).compactMap { $0.fields.first { $0.0 == field }?.1 }
    }
}
