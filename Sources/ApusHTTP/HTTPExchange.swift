internal import NIOCore
internal import NIOHTTP1

/// A request and what has come of its answer; lives on the clients' thread.
final class HTTPExchange {
    let json: [UInt8]
    let target: String
    /// For everything.
    let time: TimeAmount
    let maximumBytes: Int
    private let reply: @Sendable (HTTPOutcome) -> Void
    /// Whether its connection has served a request before, so that the server may have closed it at any moment.
    var isOnUsedConnection = false
    var deadline: Scheduled<Void>?
    private(set) var hasEnded = false
    /// `nil` until an answer begins.
    private(set) var status: Int?
    private var contentType = ""
    private var body: [UInt8] = []
    /// The connection that serves it; closed with an exchange that ends early.
    weak var handler: HTTPExchangeHandler?

    init(
        _ json: [UInt8],
        _ target: String,
        _ time: TimeAmount,
        maximumBytes: Int,
        reply: @escaping @Sendable (HTTPOutcome) -> Void,
    ) {
        self.json = json
        self.target = target
        self.time = time
        self.maximumBytes = maximumBytes
        self.reply = reply
    }

    func begin(_ head: HTTPResponseHead) {
        status = Int(head.status.code)
        contentType = head.headers.first(name: "Content-Type") ?? ""
    }

    func append(_ part: ByteBuffer) {
        guard body.count + part.readableBytes <= maximumBytes else {
            return end(.failed("the answer has more than \(maximumBytes) bytes"))
        }
        body += part.readableBytesView
    }

    /// The answer is complete.
    func finish() { end(.answered(status: status ?? 0, contentType: contentType, body: body)) }

    /// Only the first outcome counts.
    func end(_ outcome: HTTPOutcome) {
        guard !hasEnded else { return }
        hasEnded = true
        deadline?.cancel()
        deadline = nil
        handler?.abandon(self)
        reply(outcome)
    }
}

/// The last handler of a connection: gives the answer to its exchange, and the connection back.
final class HTTPExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let client: HTTPClient
    private var exchange: HTTPExchange?
    private var context: ChannelHandlerContext?
    private var mayBeKept = false
    private var idleTimer: Scheduled<Void>?
    private var failure: String?

    init(client: HTTPClient) { self.client = client }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func begin(_ exchange: HTTPExchange) {
        idleTimer?.cancel()
        idleTimer = nil
        self.exchange = exchange
        exchange.handler = self
    }

    /// An exchange that has ended before its answer was complete takes its connection along.
    func abandon(_ ended: HTTPExchange) {
        guard exchange === ended else { return }
        exchange = nil
        context?.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let exchange else {
            // Nobody asked.
            return context.close(promise: nil)
        }
        switch unwrapInboundIn(data) {
        case .head(let head):
            mayBeKept = head.isKeepAlive
            exchange.begin(head)
        case .body(let part):
            exchange.append(part)
        case .end:
            self.exchange = nil
            exchange.finish()
            guard mayBeKept else { return context.close(promise: nil) }
            let (client, channel) = (self.client, context.channel)
            idleTimer = context.eventLoop.scheduleTask(in: client.idleTime) { client.closeIfIdle(channel) }
            client.keep(channel)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = failure ?? HTTPClient.words(of: error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        idleTimer?.cancel()
        client.forget(context.channel)
        guard let exchange else { return }
        self.exchange = nil
        exchange.handler = nil
        client.retry(exchange, orFail: failure ?? HTTPClient.earlyEnd)
    }
}
