package import ApusLoop
package import NIOCore

/// A TLS connection of a channel has failed; a sentence with OpenSSL's reason.
package struct TLSChannelError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

/// TLS for a channel, by the same OpenSSL that serves MQTT (docs/decisions/0009-one-tls-for-everything.md).
///
/// The first handler of a pipeline: what is behind it reads and writes plain bytes. What is written before the handshake
/// is done waits. The end of what the peer sends is told as `ChannelEvent.inputClosed`, a failure as an error, with which
/// the channel is closed.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private struct Write {
        let bytes: ByteBuffer
        let promise: EventLoopPromise<Void>?
    }

    private let session: TLSMemorySession
    private let isClient: Bool
    private var waiting: [Write] = []
    /// Writes of `waiting` that were flushed; they go as soon as the handshake is done.
    private var flushed = 0
    private var isOver = false

    /// The server's side.
    package init(server context: TLSContext) throws(TLSError) {
        session = try TLSMemorySession(context)
        isClient = false
    }

    /// The client's side.
    ///
    /// - Parameter hostName: the server's name or IP address, which its certificate must hold.
    package init(client context: TLSContext, hostName: String) throws(TLSError) {
        session = try TLSMemorySession(context, hostName: hostName)
        isClient = true
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    /// A client speaks first.
    private func begin(_ context: ChannelHandlerContext) {
        if isClient { advance(context) }
    }

    // MARK: - Reading

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        session.receive(Array(unwrapInboundIn(data).readableBytesView))
        advance(context)
    }

    private func advance(_ context: ChannelHandlerContext) {
        switch session.handshake() {
        case .failed(let reason):
            fail(context, "the TLS handshake failed: \(reason)")
            return
        case .wantsBytes:
            sendOutgoing(context, promise: nil)
            return
        case .done:
            break
        }
        sendFlushed(context)
        let plain = session.read()
        sendOutgoing(context, promise: nil)
        if !plain.isEmpty { context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: plain))) }
        switch session.end {
        case nil: break
        case .closed?:
            isOver = true
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        case .failed(let reason)?:
            fail(context, "the TLS connection failed: \(reason)")
        }
    }

    private func fail(_ context: ChannelHandlerContext, _ sentence: String) {
        guard !isOver else { return }
        isOver = true
        sendOutgoing(context, promise: nil)
        context.fireErrorCaught(TLSChannelError(description: sentence))
        context.close(promise: nil)
    }

    // MARK: - Writing

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        waiting.append(Write(bytes: unwrapOutboundIn(data), promise: promise))
    }

    package func flush(context: ChannelHandlerContext) {
        flushed = waiting.count
        sendFlushed(context)
    }

    private func sendFlushed(_ context: ChannelHandlerContext) {
        guard session.isHandshakeDone, flushed > 0 else { return }
        let writes = waiting.prefix(flushed)
        waiting.removeFirst(flushed)
        flushed = 0
        let promises = writes.compactMap(\.promise)
        for write in writes {
            guard session.write(Array(write.bytes.readableBytesView)) else {
                for promise in promises { promise.fail(ChannelError.ioOnClosedChannel) }
                return
            }
        }
        guard !promises.isEmpty else { return sendOutgoing(context, promise: nil) }
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.whenComplete { result in
            for promise in promises { promise.completeWith(result) }
        }
        sendOutgoing(context, promise: sent)
    }

    private func sendOutgoing(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        let bytes = session.takeOutgoing()
        guard !bytes.isEmpty else {
            promise?.succeed(())
            return
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: promise)
    }

    // MARK: - The end

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode != .input {
            session.shutdown()
            sendOutgoing(context, promise: nil)
        }
        if mode == .all { failWaiting() }
        context.close(mode: mode, promise: promise)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        if !session.isHandshakeDone, !isOver {
            isOver = true
            context.fireErrorCaught(TLSChannelError(description: "the peer closed during the TLS handshake"))
        }
        failWaiting()
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) { failWaiting() }

    private func failWaiting() {
        let writes = waiting
        waiting = []
        flushed = 0
        for write in writes { write.promise?.fail(ChannelError.ioOnClosedChannel) }
    }
}
