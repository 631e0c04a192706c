internal import ApusLoop

/// Reads records through a buffer that grows while they follow one another.
///
/// One for each shard; sessions that drain at the same time share it.
struct MessageReader {
    private static let firstWindow = 4 << 10
    private static let largestWindow = 256 << 10

    enum Found {
        /// The record begins here in the buffer, whole as far as its length tells.
        case at(Int)
        /// The disk must be waited for, to have so many bytes.
        case wouldWait(bytes: Int)
        case failed(String)
    }

    private(set) var buffer: [UInt8] = []
    private var file: (any DiskFile)?
    /// Of the buffer in the file.
    private var start = 0
    private var count = 0
    private var window = Self.firstWindow

    /// Finds the record that begins at the offset.
    mutating func find(_ file: any DiskFile, _ offset: Int, mayWait: Bool) -> Found {
        var needed = RecordLayout.headerBytes
        for _ in 0..<2 {
            if let found = buffered(file, offset, needed) {
                guard let whole = LogRecordReader.recordByteCount(buffer.span, at: found) else {
                    return .failed("there is no record")
                }
                needed = whole
                if buffered(file, offset, needed) != nil { return .at(found) }
            }
            let follows = self.file === file && offset >= start && offset <= start + count
            window = follows ? min(window * 2, Self.largestWindow) : Self.firstWindow
            switch fill(file, offset, max(window, needed), atLeast: needed, mayWait: mayWait) {
            case .none: break
            case .some(let problem): return problem
            }
        }
        guard let found = buffered(file, offset, needed) else { return .failed("the file ends within it") }
        guard let whole = LogRecordReader.recordByteCount(buffer.span, at: found) else {
            return .failed("there is no record")
        }
        return buffered(file, offset, whole) == nil ? .failed("the file ends within it") : .at(found)
    }

    /// Lets go of the file and what was read of it.
    ///
    /// - Returns: whether there was anything.
    mutating func forget() -> Bool {
        defer {
            file = nil
            count = 0
        }
        return count > 0
    }

    private func buffered(_ file: any DiskFile, _ offset: Int, _ needed: Int) -> Int? {
        guard self.file === file, offset >= start, offset + needed <= start + count else { return nil }
        return offset - start
    }

    private mutating func fill(
        _ file: any DiskFile,
        _ offset: Int,
        _ wanted: Int,
        atLeast needed: Int,
        mayWait: Bool,
    ) -> Found? {
        if buffer.count < wanted || (buffer.count > 2 * Self.largestWindow && wanted <= Self.largestWindow) {
            buffer = [UInt8](repeating: 0, count: wanted)
        }
        self.file = file
        start = offset
        count = 0
        do {
            if case .bytes(let read) = try file.readNow(into: &buffer, 0..<wanted, at: offset), read >= needed {
                count = read
                return nil
            }
            guard mayWait else { return .wouldWait(bytes: wanted) }
            count = try file.read(into: &buffer, 0..<wanted, at: offset)
            return nil
        } catch {
            return .failed(error.description)
        }
    }
}
