internal import ApusLoop

/// Standard output, collected and written once a turn.
struct LineOutput {
    enum Flushed: Equatable {
        case done
        /// Nobody reads any more, as behind `| head`; that is no failure.
        case readerGone
        case failed(String)
    }

    private var waiting: [UInt8] = []

    var isEmpty: Bool { waiting.isEmpty }
    var count: Int { waiting.count }

    mutating func append(_ text: String) { waiting.append(contentsOf: text.utf8) }
    mutating func append(_ bytes: [UInt8]) { waiting.append(contentsOf: bytes) }

    mutating func flush() -> Flushed {
        guard !waiting.isEmpty else { return .done }
        defer { waiting.removeAll(keepingCapacity: waiting.count < 1 << 20) }
        do {
            try StandardStream.write(waiting, to: StandardStream.output)
            return .done
        } catch {
            return error.isBrokenPipe ? .readerGone : .failed("standard output: \(error.reason)")
        }
    }
}
