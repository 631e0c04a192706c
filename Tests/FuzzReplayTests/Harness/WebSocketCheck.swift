import ProxyProtocol
import WebSocketCodec

/// Gives bytes to the parsers in front of MQTT: whole and in pieces they must say the same.
///
/// The first byte chooses: modulo 4 an upgrade request and the frames behind it, a client's frames, a server's frames, or
/// a PROXY protocol header; its upper half is the length of the pieces, less one.
package func checkWebSocket(_ input: [UInt8]) throws(Finding) {
    guard let choice = input.first else { return }
    let bytes = Array(input.dropFirst())
    let piece = Int(choice >> 4) + 1
    switch choice % 4 {
    case 0: try checkUpgrade(bytes, piece)
    case 1: try checkFrames(bytes, piece, from: .client)
    case 2: try checkFrames(bytes, piece, from: .server)
    default: try checkProxyHeader(bytes, piece)
    }
}

// MARK: - Upgrade

private func checkUpgrade(_ bytes: [UInt8], _ piece: Int) throws(Finding) {
    var whole = UpgradeRequestParser()
    let atOnce = upgrade(&whole, bytes)
    var parser = UpgradeRequestParser()
    var inPieces = UpgradeResult.incomplete
    var end = 0
    while end < bytes.count, case .incomplete = inPieces {
        end = min(end + piece, bytes.count)
        inPieces = upgrade(&parser, Array(bytes[..<end]))
    }
    try Finding.check(atOnce == inPieces, "an upgrade request reads otherwise in pieces: \(atOnce), \(inPieces)")
    switch atOnce {
    case .incomplete:
        try Finding.check(bytes.count < 8192, "an upgrade request has no end")
    case .refused(let refusal):
        try Finding.check(!UpgradeResponse.refusing(refusal).isEmpty, "a refusal without an answer")
    case .accepted(let request):
        try Finding.check(request.consumed <= bytes.count, "more bytes used than there were")
        try Finding.check(request.path.hasPrefix("/") && !request.host.isEmpty, "an upgrade to nowhere")
        try Finding.check(request.key.count == 24, "a key of another length")
        try checkFrames(Array(bytes[request.consumed...]), piece, from: .client)
    }
}

private enum UpgradeResult: Equatable {
    case incomplete
    case accepted(UpgradeRequest)
    case refused(UpgradeRefusal)
}

private func upgrade(_ parser: inout UpgradeRequestParser, _ bytes: [UInt8]) -> UpgradeResult {
    do {
        return try parser.parse(bytes.span).map { .accepted($0) } ?? .incomplete
    } catch {
        return .refused(error)
    }
}

// MARK: - Frames

/// What a stream of frames came to.
private struct Unframed: Equatable {
    var application: [UInt8] = []
    var events: [WebSocketInput.Event] = []
    var error: WebSocketError?
    var isClosed = false
}

private func checkFrames(_ bytes: [UInt8], _ piece: Int, from peer: WebSocketInput.Peer) throws(Finding) {
    let atOnce = try unframe(bytes, max(1, bytes.count), from: peer)
    let inPieces = try unframe(bytes, piece, from: peer)
    try Finding.check(atOnce == inPieces, "frames read otherwise in pieces")
    try Finding.check(atOnce.application.count <= bytes.count, "more application bytes than bytes")
    for event in atOnce.events {
        switch event {
        case .ping(let payload), .pong(let payload):
            try Finding.check(payload.count <= WebSocketOutput.maximumControlPayload, "a control frame is too long")
        case .close(let code, _):
            try Finding.check(code?.isAllowedOnWire ?? true, "a close code that may not be sent")
            _ = WebSocketOutput.close(answering: code)
        }
    }
    let mask: UInt32? = peer == .client ? 0x1234_5678 : nil
    let again = try unframe(WebSocketOutput.binary(atOnce.application, mask: mask), piece, from: peer)
    try Finding.check(again.application == atOnce.application && again.error == nil, "a frame changed on its way")
}

private func unframe(_ bytes: [UInt8], _ piece: Int, from peer: WebSocketInput.Peer) throws(Finding) -> Unframed {
    var input = WebSocketInput(from: peer)
    var result = Unframed()
    var start = 0
    while start < bytes.count, result.error == nil {
        var buffer = Array(bytes[start..<min(start + piece, bytes.count)])
        start += buffer.count
        var read = 0
        var write = 0
        var span = buffer.mutableSpan
        do {
            while let event = try input.next(&span, read: &read, write: &write) {
                result.events.append(event)
            }
        } catch {
            result.error = error
        }
        try Finding.check(write <= read && read <= buffer.count, "reading has gone beyond its bounds")
        try Finding.check(result.error != nil || read == buffer.count, "bytes were left")
        result.application += buffer[..<write]
    }
    result.isClosed = input.isClosed
    return result
}

// MARK: - PROXY protocol

private func checkProxyHeader(_ bytes: [UInt8], _ piece: Int) throws(Finding) {
    let atOnce = proxyHeader(bytes)
    var inPieces = ProxyResult.incomplete
    var end = 0
    while end < bytes.count, case .incomplete = inPieces {
        end = min(end + piece, bytes.count)
        inPieces = proxyHeader(Array(bytes[..<end]))
    }
    try Finding.check(atOnce == inPieces, "a PROXY header reads otherwise in pieces: \(atOnce), \(inPieces)")
    switch atOnce {
    case .incomplete: try Finding.check(bytes.count < 4096, "a PROXY header has no end")
    case .refused(let error): try Finding.check(!error.words.isEmpty, "a refusal without words")
    case .complete(let header):
        try Finding.check((1...4096).contains(header.consumed), "a PROXY header of \(header.consumed) bytes")
        try Finding.check(header.consumed <= bytes.count, "more bytes used than there were")
    }
}

private enum ProxyResult: Equatable {
    case incomplete
    case complete(ProxyHeader)
    case refused(ProxyProtocolError)
}

private func proxyHeader(_ bytes: [UInt8]) -> ProxyResult {
    do {
        return try ProxyHeader.parse(bytes.span).map { .complete($0) } ?? .incomplete
    } catch {
        return .refused(error)
    }
}
