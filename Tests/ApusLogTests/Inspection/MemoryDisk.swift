import ApusLocks
import ApusLoop

@testable import ApusLog

/// A folder in memory, in which something may happen between any two calls.
final class MemoryDisk: Disk {
    private struct State: Sendable {
        var files: [String: WritableMemoryFile] = [:]
        var calls = 0
    }

    private let state = Guarded(State())
    private let between: @Sendable (Int, MemoryDisk) -> Void

    init(between: @escaping @Sendable (Int, MemoryDisk) -> Void = { _, _ in }) { self.between = between }

    var path: String { "memory" }
    var calls: Int { state.withLock { $0.calls } }

    /// Puts a file in place, or new bytes behind those of one that stands.
    func set(_ name: String, _ bytes: [UInt8]) {
        let file = state.withLock { state in
            let file = state.files[name] ?? WritableMemoryFile(self)
            state.files[name] = file
            return file
        }
        file.bytes.withLock { $0 = bytes }
    }

    func bytes(of name: String) -> [UInt8]? { state.withLock { $0.files[name] }?.bytes.withLock { $0 } }

    func remove(_ name: String) { state.withLock { $0.files[name] = nil } }

    /// Each call counts.
    func called() {
        let count = state.withLock { state in
            state.calls += 1
            return state.calls
        }
        between(count, self)
    }

    func list() throws(SystemError) -> [String] {
        called()
        return state.withLock { Array($0.files.keys) }
    }

    func open(_ name: String, _ opening: DataFile.Opening) throws(SystemError) -> any DiskFile {
        called()
        let file = state.withLock { state -> WritableMemoryFile? in
            if case .creating = opening, state.files[name] == nil { state.files[name] = WritableMemoryFile(self) }
            return state.files[name]
        }
        guard let file else { throw SystemError(code: 2, call: "open \(name)") }
        return file
    }

    func delete(_ name: String) throws(SystemError) { remove(name) }
    func rename(_ name: String, to new: String) throws(SystemError) {
        state.withLock { $0.files[new] = $0.files.removeValue(forKey: name) }
    }
    func synchronize() throws(SystemError) {}
    func lock(_ name: String) throws(SystemError) -> any AnyObject & Sendable { self }
    func holder(of name: String) -> Int? { nil }
}

final class WritableMemoryFile: DiskFile {
    let bytes = Guarded<[UInt8]>([])
    // The disk holds its files; one that is open may outlive it.
    private weak let disk: MemoryDisk?

    init(_ disk: MemoryDisk) { self.disk = disk }

    func size() throws(SystemError) -> Int {
        disk?.called()
        return bytes.withLock { $0.count }
    }

    func read(into buffer: inout [UInt8], _ range: Range<Int>, at offset: Int) throws(SystemError) -> Int {
        disk?.called()
        let bytes = bytes.withLock { $0 }
        let count = max(0, min(range.count, bytes.count - offset))
        for index in 0..<count { buffer[range.lowerBound + index] = bytes[offset + index] }
        return count
    }

    func readNow(into buffer: inout [UInt8], _ range: Range<Int>, at offset: Int) throws(SystemError)
        -> DataFile.ReadNow
    {
        .bytes(try read(into: &buffer, range, at: offset))
    }

    func write(_ span: Span<UInt8>, at offset: Int) throws(SystemError) -> Int {
        let source = (0..<span.count).map { span[$0] }
        bytes.withLock { bytes in
            if bytes.count < offset + source.count {
                bytes += [UInt8](repeating: 0, count: offset + source.count - bytes.count)
            }
            bytes.replaceSubrange(offset..<offset + source.count, with: source)
        }
        return source.count
    }

    func synchronize() throws(SystemError) {}
    func allocate(_ bytes: Int) throws(SystemError) {}
    func truncate(to count: Int) throws(SystemError) { bytes.withLock { $0.removeLast(max(0, $0.count - count)) } }
}
