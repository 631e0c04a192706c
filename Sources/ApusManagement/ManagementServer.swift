package import ApusBroker
internal import ApusLocks
package import ApusResources
internal import Glibc
internal import HTTPTypes
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle

/// The management port could not be opened.
package struct ManagementError: Error, CustomStringConvertible {
    package var description: String
}

/// One HTTP port with the vendor's RPC API, the REST API, health and metrics.
///
/// Handlers run in Swift's thread pool; one event loop of its own moves the bytes.
package final class ManagementServer: Sendable {
    private enum State {
        case fresh
        case running(ServiceGroup)
        case stopped
    }

    /// Of a body that was refused, so much is read over so that the answer can be read.
    private static let mostDrained = 8 << 20
    /// Bytes of each body and of each head that come through while others take all memory: most requests are smaller.
    static let uncountedOfBodies = 64 << 10
    static let uncountedOfHeads = 16 << 10

    private let configuration: ManagementConfiguration
    private let handler: APIHandler
    private let bodyMemory: RequestMemory
    private let state = Guarded(State.fresh)

    /// - Parameters:
    ///   - clock: Unix milliseconds.
    ///   - isReady: what `/readyz` says: whether the broker takes connections.
    package init(
        configuration: ManagementConfiguration,
        manager: ResourceManager,
        broker: any BrokerControl,
        clock: @escaping @Sendable () -> Int64,
        isReady: @escaping @Sendable () -> Bool = { true },
    ) {
        self.configuration = configuration
        let service = ManagementService(configuration: configuration, manager: manager, broker: broker, clock: clock)
        handler = APIHandler(service: service, isReady: isReady)
        bodyMemory = RequestMemory(bytes: configuration.bodyMemory, uncounted: Self.uncountedOfBodies)
    }

    /// Serves until `stop` or until its task is cancelled; requests under way are answered first.
    ///
    /// - Parameter listening: told once, with the address and the port that was bound.
    /// - Throws: `ManagementError` when the port cannot be opened.
    package func run(listening: @escaping @Sendable (_ host: String, _ port: Int) -> Void) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let configuration = self.configuration
        let logger = Logger(label: "apus.management") { _ in SwiftLogNoOpLogHandler() }
        let http = HTTP1Channel(
            responder: { [self] request, writer, channel in try await respond(to: request, writer, channel) },
            configuration: Self.channelConfiguration(configuration, handler.statistics)
        )
        func server(_ channel: some ServerChildChannel) -> any Service {
            channel.server(
                configuration: ServerConfiguration(
                    address: .hostname(configuration.host, port: configuration.port),
                    availableConnectionsDelegate: .maximum(configuration.maximumConnections, logger: logger)
                ),
                onServerRunning: { channel in
                    let address = channel.localAddress
                    listening(address?.ipAddress ?? configuration.host, address?.port ?? configuration.port)
                },
                eventLoopGroup: group,
                logger: logger
            )
        }
        let server = configuration.tls.map { server(SecureChannel(base: http, tls: $0)) } ?? server(http)
        let services = ServiceGroup(configuration: ServiceGroupConfiguration(services: [server], logger: logger))
        let mayRun = state.withLock { state in
            guard case .fresh = state else { return false }
            state = .running(services)
            return true
        }
        if mayRun {
            do {
                try await services.run()
            } catch is CancellationError {
                // The caller's way to end it.
            } catch {
                try? await group.shutdownGracefully()
                throw ManagementError(
                    description: "the management API cannot listen on \(configuration.host):\(configuration.port): "
                        + Self.reason(error)
                )
            }
        }
        try? await group.shutdownGracefully()
    }

    /// The system's words; NIO puts the name of its function before them.
    private static func reason(_ error: any Error) -> String {
        (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
    }

    /// Ends `run` as soon as the requests under way are answered; may be called from any thread, also before `run`.
    package func stop() {
        let services = state.withLock { state -> ServiceGroup? in
            defer { state = .stopped }
            guard case .running(let services) = state else { return nil }
            return services
        }
        guard let services else { return }
        Task { await services.triggerGracefulShutdown() }
    }

    private static func channelConfiguration(
        _ configuration: ManagementConfiguration,
        _ statistics: APIStatistics,
    ) -> HTTP1Channel.Configuration {
        let shares = AddressShares(most: configuration.connectionsPerAddress)
        let heads = RequestMemory(bytes: configuration.headMemory, uncounted: uncountedOfHeads)
        return HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                AddressShareHandler(shares, statistics),
                HeadEnds(HeadMeter(heads, seconds: configuration.transferSeconds, statistics)),
            ],
            idleTimeout: .seconds(Int64(configuration.idleSeconds)),
            // Most actions have their parameters in the query: 64 KiB of payload are 192 KiB there.
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 512 << 10,
                maxHeaderListSize: 576 << 10,
                maxHeaderFieldCount: 128
            )
        )
    }

    @concurrent
    private func respond(
        to request: Request,
        _ writer: consuming ResponseWriter,
        _ channel: any Channel,
    ) async throws {
        var received = APIRequest(
            method: request.method,
            target: request.head.path ?? "/",
            host: request.head.authority ?? "",
            headers: request.headers,
            peer: APIRequest.Peer(
                address: channel.remoteAddress.map(Self.text) ?? "unix",
                isLoopback: channel.remoteAddress.map(Self.isLoopback) ?? true,
                isSecure: configuration.tls != nil
            )
        )
        let most = handler.largestBody(of: received)
        var share = bodyMemory.share()
        defer { share.end() }
        var body: [UInt8] = []
        var length = 0
        var hasRoom = true
        let receiving = deadline(of: channel, .slowRequest)
        defer { receiving.cancel() }
        for try await buffer in request.body {
            length += buffer.readableBytes
            if length > most + Self.mostDrained { break }
            hasRoom = hasRoom && length <= most && share.grow(to: length)
            // What is refused anyway is read over.
            if hasRoom { body += buffer.readableBytesView } else { body = [] }
        }
        receiving.cancel()
        received.body = body
        var response: APIResponse
        if length > most {
            response = handler.refuseLargeBody(of: received)
        } else if !hasRoom {
            response = handler.refuseBodyWithoutRoom(of: received)
        } else {
            response = await handler.respond(to: received)
        }
        if length > most + Self.mostDrained { response.headers[.connection] = "close" }
        response.headers[.contentLength] = "\(response.body.count)"
        var head = HTTPResponse(status: response.status, headerFields: response.headers)
        if request.method == .head { response.body = [] }
        // These have no body, and must not say how long it is.
        if response.status == .noContent { head.headerFields[.contentLength] = nil }
        let sending = deadline(of: channel, .slowAnswer)
        defer { sending.cancel() }
        try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: response.body)))
        // What is left of the body is not worth reading.
        if length > most + Self.mostDrained { throw BodyTooLarge() }
    }

    /// Ends the connection of who is too slow, so that nobody keeps one from others.
    private func deadline(of channel: any Channel, _ reason: APIStatistics.Closing) -> Scheduled<Void> {
        let statistics = handler.statistics
        return channel.eventLoop.scheduleTask(in: .seconds(Int64(configuration.transferSeconds))) {
            statistics.count(reason)
            channel.close(promise: nil)
        }
    }

    private struct BodyTooLarge: Error {}

    private static func text(_ address: SocketAddress) -> String {
        guard let host = address.ipAddress, let port = address.port else { return "unix" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private static func isLoopback(_ address: SocketAddress) -> Bool {
        guard let host = address.ipAddress else { return true }
        return host.hasPrefix("127.") || host == "::1" || host.hasPrefix("::ffff:127.")
    }
}
