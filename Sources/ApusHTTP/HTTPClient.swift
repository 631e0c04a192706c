internal import ApusLoop
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// What became of a request.
package enum HTTPOutcome: Sendable, Equatable {
    /// - Parameter contentType: empty when the answer names none.
    case answered(status: Int, contentType: String, body: [UInt8])
    /// No connection, no complete answer in time, or one that is too long; the sentence says which.
    case failed(String)
}

/// Posts documents to one server: HTTP/1.1, plain or with TLS.
///
/// Connections are kept for the next request. One that the server has closed meanwhile is replaced, once a request.
/// Redirections are answers like others. All clients of the process share one thread.
package final class HTTPClient: Sendable {
    private let server: HTTPServerAddress
    private let loop: any EventLoop
    private let idle: NIOLoopBoundBox<[any Channel]>

    /// So many connections without a request are kept.
    private static let mostIdle = 64
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// How long a connection without a request is kept.
    let idleTime: TimeAmount

    package init(_ server: HTTPServerAddress, idleSeconds: Int = 15) {
        self.server = server
        idleTime = .seconds(Int64(idleSeconds))
        loop = Self.group.next()
        idle = NIOLoopBoundBox.makeBoxSendingValue([], eventLoop: loop)
    }

    /// Posts JSON and returns at once.
    ///
    /// - Parameters:
    ///   - target: path and query, beginning with a slash.
    ///   - timeoutMilliseconds: for everything: connection, handshake, request and answer.
    ///   - maximumBytes: a longer body of the answer is a failure.
    ///   - reply: called once, on the clients' thread, which it must not hold up.
    package func post(
        _ json: [UInt8],
        to target: String,
        timeoutMilliseconds: Int,
        maximumBytes: Int,
        reply: @escaping @Sendable (HTTPOutcome) -> Void,
    ) {
        loop.execute { [self] in
            let time = TimeAmount.milliseconds(Int64(timeoutMilliseconds))
            let exchange = HTTPExchange(json, target, time, maximumBytes: maximumBytes, reply: reply)
            exchange.deadline = loop.assumeIsolated().scheduleTask(in: time) {
                exchange.end(.failed("no answer within \(timeoutMilliseconds) ms"))
            }
            start(exchange)
        }
    }

    private func start(_ exchange: HTTPExchange) {
        while let channel = idle.value.popLast() {
            guard channel.isActive else { continue }
            exchange.isOnUsedConnection = true
            return send(exchange, over: channel)
        }
        connect(for: exchange)
    }

    private func connect(for exchange: HTTPExchange) {
        exchange.isOnUsedConnection = false
        let server = self.server
        ClientBootstrap(group: loop)
            .connectTimeout(exchange.time)
            .channelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls = server.tls {
                        try pipeline.addHandler(TLSHandler(client: tls, hostName: server.host))
                    }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(HTTPExchangeHandler(client: self))
                }
            }
            .connect(host: server.host, port: Int(server.port))
            .assumeIsolated()
            .whenComplete { [self] result in
                switch result {
                case .success(let channel):
                    guard !exchange.hasEnded else { return channel.close(promise: nil) }
                    send(exchange, over: channel)
                case .failure(let error):
                    exchange.end(.failed("no connection to \(server.host):\(server.port): \(Self.words(of: error))"))
                }
            }
    }

    private func send(_ exchange: HTTPExchange, over channel: any Channel) {
        do {
            try channel.pipeline.syncOperations.handler(type: HTTPExchangeHandler.self).begin(exchange)
        } catch {
            // It closed a moment ago.
            return retry(exchange, orFail: Self.words(of: error))
        }
        let head = HTTPRequestHead(
            version: .http1_1,
            method: .POST,
            uri: exchange.target,
            headers: [
                "Host": server.hostField, "Content-Type": "application/json",
                "Content-Length": "\(exchange.json.count)", "Accept": "application/json", "User-Agent": "apus",
            ],
        )
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: exchange.json))), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    }

    // MARK: - Told by handlers

    /// Sends an exchange again whose used connection was found closed before any answer; others fail.
    func retry(_ exchange: HTTPExchange, orFail sentence: String) {
        guard !exchange.hasEnded else { return }
        guard exchange.isOnUsedConnection, exchange.status == nil else { return exchange.end(.failed(sentence)) }
        connect(for: exchange)
    }

    /// Keeps a connection for the next request.
    func keep(_ channel: any Channel) {
        guard channel.isActive, idle.value.count < Self.mostIdle else { return channel.close(promise: nil) }
        idle.value.append(channel)
    }

    /// Closes a connection that nobody has used for long.
    func closeIfIdle(_ channel: any Channel) {
        guard let index = idle.value.firstIndex(where: { $0 === channel }) else { return }
        idle.value.remove(at: index)
        channel.close(promise: nil)
    }

    func forget(_ channel: any Channel) { idle.value.removeAll { $0 === channel } }

    static let earlyEnd = "the server closed the connection before its answer was complete"

    static func words(of error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if let last = error.connectionErrors.last { return words(of: last.error) }
            return "the name is not known"
        case let error as IOError:
            return SystemError(code: error.errnoCode, call: "").reason
        case let error as TLSChannelError:
            return error.description
        case HTTPParserError.invalidEOFState:
            return earlyEnd
        case let error as HTTPParserError:
            return "the answer is not HTTP (\(error))"
        default:
            return "\(error)"
        }
    }
}
