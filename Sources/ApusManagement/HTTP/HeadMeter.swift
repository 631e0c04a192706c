internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Bounds what the heads of requests cost that have not come as a whole: their memory together, and the time of each.
///
/// Stands in front of the parser, which keeps what it cannot read yet; `HeadEnds` behind it tells when a head is through.
final class HeadMeter: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var share: RequestMemory.Share
    private let seconds: Int
    private let statistics: APIStatistics
    private var isInHead = true
    private var length = 0
    private var deadline: Scheduled<Void>?
    /// Answers that there is no memory; set by `HeadEnds`.
    fileprivate var refuse: () -> Void = {}

    /// - Parameters:
    ///   - memory: of the heads of all connections.
    ///   - seconds: within which a head must have come as a whole.
    init(_ memory: RequestMemory, seconds: Int, _ statistics: APIStatistics) {
        share = memory.share()
        self.seconds = seconds
        self.statistics = statistics
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard isInHead else { return context.fireChannelRead(data) }
        if deadline == nil {
            let channel = context.channel
            let statistics = statistics
            deadline = context.eventLoop.scheduleTask(in: .seconds(Int64(seconds))) {
                statistics.count(.slowRequest)
                channel.close(promise: nil)
            }
        }
        length += unwrapInboundIn(data).readableBytes
        guard share.grow(to: length) else {
            statistics.count(.headMemory)
            headEnded()
            return refuse()
        }
        context.fireChannelRead(data)
    }

    func handlerRemoved(context: ChannelHandlerContext) { headEnded() }

    fileprivate func headEnded() {
        share.end()
        deadline?.cancel()
        deadline = nil
        isInHead = false
    }

    fileprivate func requestEnded() {
        length = 0
        isInHead = true
    }
}

/// Tells a `HeadMeter` where heads and requests end, and speaks HTTP for it.
final class HeadEnds: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundOut = HTTPResponsePart

    private let meter: HeadMeter

    init(_ meter: HeadMeter) { self.meter = meter }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        meter.refuse = { bound.value.0.refuse(bound.value.1) }
        // Only a pipeline that is being torn down has no place for it.
        try? context.pipeline.syncOperations.addHandler(meter, position: .first)
    }

    func handlerRemoved(context: ChannelHandlerContext) { meter.refuse = {} }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: meter.headEnded()
        case .end: meter.requestEnded()
        case .body: break
        }
        context.fireChannelRead(data)
    }

    private func refuse(_ context: ChannelHandlerContext) {
        let text = "the heads of other requests take all memory that there is for them; try again\n"
        let fields: HTTPFields = [
            .contentType: "text/plain; charset=utf-8", .contentLength: "\(text.utf8.count)", .connection: "close",
            .retryAfter: "1",
        ]
        let head = HTTPResponse(status: .serviceUnavailable, headerFields: fields)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(ByteBuffer(string: text))), promise: nil)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }
}
