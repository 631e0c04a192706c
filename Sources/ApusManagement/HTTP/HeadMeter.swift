internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Bounds what the parser keeps of requests that have not come as a whole: its memory on all connections together, and the
/// time of each piece.
///
/// A piece is a head, or the trailers of a body; of a body itself each read is one. Stands in front of the parser;
/// `HeadEnds` behind it tells when a piece is through.
final class HeadMeter: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = NIOAny
    typealias OutboundOut = NIOAny

    private var share: RequestMemory.Share
    private let seconds: Int
    private let statistics: APIStatistics
    /// Bytes that have come since the last piece was through.
    private var length = 0
    private var deadline: Scheduled<Void>?
    /// Whether something was written since the last read: then whoever closes has said why.
    private var isAnswered = false
    /// Whether the connection is being ended: what still comes is for nobody.
    private var isOver = false
    /// Answers that there is no memory, and closes; set by `HeadEnds`.
    fileprivate var refuse: () -> Void = {}

    /// - Parameters:
    ///   - memory: of the pieces of all connections.
    ///   - seconds: within which a piece must have come as a whole.
    init(_ memory: RequestMemory, seconds: Int, _ statistics: APIStatistics) {
        share = memory.share()
        self.seconds = seconds
        self.statistics = statistics
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        isAnswered = false
        length += unwrapInboundIn(data).readableBytes
        // First: whatever it brings to its end is not kept.
        context.fireChannelRead(data)
        guard length > 0, !isOver else { return }
        guard share.grow(to: length) else {
            isOver = true
            statistics.count(.headMemory)
            pieceEnded()
            return refuse()
        }
        guard deadline == nil else { return }
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: .seconds(Int64(seconds))) { channel.close(promise: nil) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        isAnswered = true
        context.write(data, promise: promise)
    }

    /// We close, not the peer: by the deadline, or because nothing has come to its end for too long.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if length > 0, !isAnswered, !isOver { statistics.count(.slowRequest) }
        isOver = true
        context.close(mode: mode, promise: promise)
    }

    func handlerRemoved(context: ChannelHandlerContext) { pieceEnded() }

    fileprivate func pieceEnded() {
        length = 0
        share.end()
        deadline?.cancel()
        deadline = nil
    }
}

/// Tells a `HeadMeter` where pieces of requests end, and speaks HTTP for it.
final class HeadEnds: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let meter: HeadMeter
    /// Requests whose answers are not written to their end.
    private var unanswered = 0

    init(_ meter: HeadMeter) { self.meter = meter }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        meter.refuse = { bound.value.0.refuse(bound.value.1) }
        // Only a pipeline that is being torn down has no place for it.
        try? context.pipeline.syncOperations.addHandler(meter, position: .first)
    }

    func handlerRemoved(context: ChannelHandlerContext) { meter.refuse = {} }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head = unwrapInboundIn(data) { unanswered += 1 }
        meter.pieceEnded()
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { unanswered -= 1 }
        context.write(data, promise: promise)
    }

    private func refuse(_ context: ChannelHandlerContext) {
        let channel = context.channel
        // The client would take it for the answer to the request before, or to the one that has not come to its end.
        guard unanswered == 0 else { return channel.close(promise: nil) }
        let text = "the heads of other requests take all memory that there is for them; try again\n"
        let fields: HTTPFields = [
            .contentType: "text/plain; charset=utf-8", .contentLength: "\(text.utf8.count)", .connection: "close",
            .retryAfter: "1",
        ]
        let head = HTTPResponse(status: .serviceUnavailable, headerFields: fields)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(ByteBuffer(string: text))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }
}
