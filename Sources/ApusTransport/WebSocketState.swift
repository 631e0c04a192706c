internal import ApusMemory
internal import WebSocketCodec

/// The WebSocket layer of one connection, behind the upgrade: frames under way in both directions.
///
/// Outgoing bytes become frames only when everything framed before has left: then all that waits goes out as one binary
/// frame, and control frames stand between two of them. So a frame that the socket takes in pieces never has to know
/// what was queued behind it, and a peer that pings without reading is owed one pong at most.
struct WebSocketState: ~Copyable, Sendable {
    var input: WebSocketInput
    /// Framed bytes that the socket has not taken yet.
    var output = OutputQueue()
    /// The payload of the newest unanswered ping; RFC 6455, section 5.5.3 allows to answer that one only.
    private var pong: [UInt8]?
    /// The close frame that ends our side, once it is known.
    private var close: [UInt8]?
    /// Whether our close frame is in `output` or further; nothing may follow it.
    private(set) var isClosed = false

    init(input: WebSocketInput = WebSocketInput(from: .client)) { self.input = input }

    var owesPong: Bool { pong != nil }

    mutating func pinged(_ payload: [UInt8]) { pong = payload }

    /// Ends our side with this frame, behind the application bytes that wait; the first call counts.
    mutating func end(with frame: [UInt8]) {
        if close == nil { close = frame }
    }

    /// Ends our side without a close frame, as the refusal of an upgrade does.
    mutating func endSilently() { isClosed = true }

    /// Appends bytes that are no frame: the answer to the upgrade.
    mutating func appendUnframed(_ bytes: [UInt8], pool: inout ChunkPool) {
        output.append(bytes.span, pool: &pool)
    }

    /// Frames what waits, when nothing framed is left.
    mutating func frame(_ application: inout OutputQueue, pool: inout ChunkPool) {
        guard output.isEmpty, !isClosed else { return }
        if let payload = pong {
            pong = nil
            let frame = WebSocketOutput.pong(payload)
            output.append(frame.span, pool: &pool)
        }
        if !application.isEmpty {
            let header = FrameHeader(.binary, payloadCount: application.count)
            application.prependHeader(header.span, pool: &pool)
            output.appendAll(of: &application, pool: &pool)
        }
        if let close {
            output.append(close.span, pool: &pool)
            isClosed = true
        }
    }
}
