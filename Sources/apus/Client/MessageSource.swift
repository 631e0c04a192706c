internal import ApusLoop
internal import MQTTCodec

/// Where the messages of `apus pub` come from.
enum MessageSource {
    case one([UInt8], left: Int)
    case lines(LineSplitter)

    /// The next payload; nil when there is none now.
    mutating func next() -> [UInt8]? {
        switch self {
        case .one(let payload, let left):
            guard left > 0 else { return nil }
            self = .one(payload, left: left - 1)
            return payload
        case .lines(var splitter):
            // Taken out and put back, so that the bytes are not copied.
            self = .one([], left: 0)
            defer { self = .lines(splitter) }
            return splitter.next()
        }
    }

    /// Whether `next` has one now.
    var hasNext: Bool {
        switch self {
        case .one(_, let left): left > 0
        case .lines(let splitter): splitter.hasLine
        }
    }

    /// Whether more may be had by reading standard input.
    var wantsInput: Bool {
        switch self {
        case .one: false
        case .lines(let splitter): !splitter.isEnded && !splitter.hasLine
        }
    }

    mutating func receive(_ input: AvailableInput) {
        guard case .lines(var splitter) = self else { return }
        self = .one([], left: 0)
        switch input {
        case .bytes(let bytes): splitter.append(bytes)
        case .endOfStream: splitter.end()
        case .nothing: break
        }
        self = .lines(splitter)
    }

    var isEmpty: Bool {
        switch self {
        case .one(_, let left): left == 0
        case .lines(let splitter): splitter.isEnded && !splitter.hasLine
        }
    }

    /// How many there will be yet; nil when nobody knows.
    var left: Int? {
        switch self {
        case .one(_, let left): left
        case .lines: nil
        }
    }
}

/// Cuts text into lines.
///
/// They may be of any bytes, and the last needs no line feed.
struct LineSplitter {
    private var bytes: [UInt8] = []
    private var start = 0
    /// Where the first line ends; searched once.
    private var lineEnd: Int?
    private(set) var isEnded = false

    /// A line that can be no message any more is cut there, and the broker or the machine refuses it.
    private static let longestLine = FrameDecoder.largestPacket

    var hasLine: Bool { lineEnd != nil }

    mutating func append(_ more: [UInt8]) {
        let known = bytes.count
        bytes += more
        if lineEnd == nil { lineEnd = find(from: known) }
    }

    /// No more comes.
    mutating func end() {
        isEnded = true
        if lineEnd == nil, start < bytes.count { lineEnd = bytes.count }
    }

    mutating func next() -> [UInt8]? {
        guard let end = lineEnd else { return nil }
        let line = Array(bytes[start..<end])
        start = min(end + 1, bytes.count)
        lineEnd = find(from: start)
        if lineEnd == nil {
            bytes.removeFirst(start)
            start = 0
            if isEnded, !bytes.isEmpty { lineEnd = bytes.count }
        }
        return line
    }

    private func find(from: Int) -> Int? {
        if let end = bytes[from...].firstIndex(of: UInt8(ascii: "\n")) { return end }
        return bytes.count - start > Self.longestLine ? bytes.count : nil
    }
}
