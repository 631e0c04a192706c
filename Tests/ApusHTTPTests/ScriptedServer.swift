import ApusLocks
import ApusLoop
import NIOCore
import NIOPosix
import Synchronization

@testable import ApusHTTP

/// What a server does with one request.
enum Reaction: Sendable {
    /// These bytes, and the connection stays.
    case answer(String)
    case answerAndClose(String)
    case close
    case silence
}

/// A server on loopback that reacts to requests as a test tells it to, byte by byte.
final class ScriptedServer: Sendable {
    private let channel: any Channel
    private let log: Log

    final class Log: Sendable {
        let requests = Guarded<[String]>([])
        let connections = Atomic(0)
        /// Gets the request's number, counted over all connections from 0.
        let react: @Sendable (Int) -> Reaction

        init(_ react: @escaping @Sendable (Int) -> Reaction) { self.react = react }
    }

    var port: UInt16 { UInt16(channel.localAddress?.port ?? 0) }
    var requests: [String] { log.requests.withLock { $0 } }
    var connections: Int { log.connections.load(ordering: .acquiring) }

    init(tls: TLSContext? = nil, _ react: @escaping @Sendable (Int) -> Reaction) async throws {
        let log = Log(react)
        self.log = log
        channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    log.connections.add(1, ordering: .acquiringAndReleasing)
                    if let tls { try channel.pipeline.syncOperations.addHandler(TLSHandler(server: tls)) }
                    try channel.pipeline.syncOperations.addHandler(RequestReader(log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    func stop() async throws { try await channel.close() }
}

/// Collects a request with a length, and reacts.
private final class RequestReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let log: ScriptedServer.Log
    private var text = ""

    init(_ log: ScriptedServer.Log) { self.log = log }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += String(buffer: unwrapInboundIn(data))
        guard let head = text.firstRange(of: "\r\n\r\n"), let field = text.firstRange(of: "Content-Length: ") else {
            return
        }
        let length = Int(text[field.upperBound...].prefix { $0.isNumber }) ?? 0
        guard text[head.upperBound...].utf8.count >= length else { return }
        let request = text
        text = ""
        let number = log.requests.withLock { requests in
            requests.append(request)
            return requests.count - 1
        }
        switch log.react(number) {
        case .answer(let answer):
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        case .answerAndClose(let answer):
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
            context.close(promise: nil)
        case .close:
            context.close(promise: nil)
        case .silence:
            break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
