import ApusLoop
import Glibc

@testable import ApusLog

/// A disk in memory that does to a log what disks do: loses what was not synced, tears it, fails.
///
/// Not for several threads at once, but for any one after the other.
final class SimulatedDisk: Disk, @unchecked Sendable {
    /// What a power failure leaves of writes that were not synced.
    enum Crash {
        /// Nothing.
        case losesAll
        /// Everything: the process alone was killed.
        case keepsAll
        /// Each byte that was written, in the order of writing, up to this many.
        case keepsBytes(Int)
        /// A random selection of blocks of this many bytes, whatever their order.
        case keepsSome(blockBytes: Int)
    }

    /// The calls that can fail.
    enum Call: Hashable { case write, synchronize, allocate, create, synchronizeFolder, read, delete, rename, truncate }

    fileprivate final class Content: Sendable {
        nonisolated(unsafe) var cached: [UInt8] = []
        nonisolated(unsafe) var durable: [UInt8] = []
        nonisolated(unsafe) var unsynced: [(offset: Int, bytes: [UInt8])] = []
        nonisolated(unsafe) var allocated = 0
        /// Behind the last byte that was ever written.
        nonisolated(unsafe) var writtenEnd = 0
        /// As the file system has it on the disk: what is behind it was allocated at most.
        nonisolated(unsafe) var durableEnd = 0
    }

    let path = "simulated"
    private var files: [String: Content] = [:]
    private var durableNames: [String: Content] = [:]
    private var isLocked = false
    private(set) var random: SeededGenerator

    /// How often each call was made.
    private(set) var calls: [Call: Int] = [:]
    /// Syncs that had to wait for metadata too, since bytes were written for the first time.
    private(set) var metadataSynchronizations = 0
    /// Calls that fail, by their number (from 1), with the error number.
    var failures: [Call: [Int: Int32]] = [:]
    /// A call that fails from now on.
    var broken: [Call: Int32] = [:]
    /// Bytes that the disk has.
    var budget = Int.max
    /// Writes take at most so many bytes at a time.
    var shortWrites = Int.max
    /// Reads that must not wait find nothing.
    var isCold = false
    /// What other threads do while a file is synced.
    var whileSynchronizing: () -> Void = {}

    init(seed: UInt64 = 1) { random = SeededGenerator(seed: seed) }

    // MARK: Faults

    /// Power fails, or the process is killed; the next user finds what is left.
    func crash(_ crash: Crash) {
        var left: [String: Content] = [:]
        var room = Int.max
        if case .keepsBytes(let bytes) = crash { room = bytes }
        let isProcessOnly = if case .keepsAll = crash { true } else { false }
        var names = durableNames
        if isProcessOnly { names = files }
        if case .keepsSome = crash {
            // A name that was not synced may be there or not.
            for (name, file) in files where names[name] == nil && Bool.random(using: &random) { names[name] = file }
            for (name, _) in names where files[name] == nil && Bool.random(using: &random) { names[name] = nil }
        }
        for (name, file) in names.sorted(by: { $0.key < $1.key }) {
            let new = Content()
            new.durable = file.durable
            if isProcessOnly { new.durable = file.cached }
            for write in file.unsynced {
                switch crash {
                case .losesAll, .keepsAll: break
                case .keepsBytes:
                    let count = min(room, write.bytes.count)
                    room -= count
                    Self.put(Array(write.bytes[..<count]), into: &new.durable, at: write.offset)
                case .keepsSome(let block):
                    for start in stride(from: 0, to: write.bytes.count, by: block) where Bool.random(using: &random) {
                        let part = Array(write.bytes[start..<min(start + block, write.bytes.count)])
                        Self.put(part, into: &new.durable, at: write.offset + start)
                    }
                }
            }
            new.cached = new.durable
            new.allocated = new.durable.count
            left[name] = new
        }
        files = left
        durableNames = left
        isLocked = false
        failures = [:]
        broken = [:]
        shortWrites = .max
    }

    /// Bytes that a power failure would lose.
    var unsyncedBytes: Int { files.values.reduce(0) { $0 + $1.unsynced.reduce(0) { $0 + $1.bytes.count } } }
    var usedBytes: Int { files.values.reduce(0) { $0 + max($1.allocated, $1.cached.count) } }

    func bytes(of name: String) -> [UInt8] { files[name]?.cached ?? [] }

    /// Changes what stands in a file.
    func change(_ name: String, _ body: (inout [UInt8]) -> Void) {
        guard let file = files[name] else { return }
        body(&file.cached)
        file.durable = file.cached
    }

    func flipBit(in name: String, byte: Int, bit: Int = 0) { change(name) { $0[byte] ^= 1 << UInt8(bit) } }

    /// The same disk as it is now, to crash it in another way.
    func copy(seed: UInt64) -> SimulatedDisk {
        let copy = SimulatedDisk(seed: seed)
        var made: [ObjectIdentifier: Content] = [:]
        func content(_ file: Content) -> Content {
            if let known = made[ObjectIdentifier(file)] { return known }
            let new = Content()
            (new.cached, new.durable, new.unsynced) = (file.cached, file.durable, file.unsynced)
            new.allocated = file.allocated
            made[ObjectIdentifier(file)] = new
            return new
        }
        copy.files = files.mapValues(content)
        copy.durableNames = durableNames.mapValues(content)
        return copy
    }

    fileprivate static func put(_ bytes: [UInt8], into content: inout [UInt8], at offset: Int) {
        let missing = offset + bytes.count - content.count
        if missing > 0 { content.append(contentsOf: repeatElement(0, count: missing)) }
        content.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }

    fileprivate func count(_ call: Call) throws(SystemError) {
        calls[call, default: 0] += 1
        if let code = broken[call] ?? failures[call]?[calls[call] ?? 0] {
            throw SystemError(code: code, call: "\(call)")
        }
    }

    // MARK: Disk

    func list() throws(SystemError) -> [String] { Array(files.keys) }

    func open(_ name: String, _ opening: DataFile.Opening) throws(SystemError) -> any DiskFile {
        if opening == .creating {
            try count(.create)
            guard files[name] == nil else { throw SystemError(code: EEXIST, call: "open \(name)") }
            files[name] = Content()
        }
        guard let file = files[name] else { throw SystemError(code: ENOENT, call: "open \(name)") }
        return File(disk: self, content: file)
    }

    func delete(_ name: String) throws(SystemError) {
        try count(.delete)
        guard files.removeValue(forKey: name) != nil else { throw SystemError(code: ENOENT, call: "unlink \(name)") }
    }

    func rename(_ name: String, to new: String) throws(SystemError) {
        try count(.rename)
        guard let file = files.removeValue(forKey: name) else { throw SystemError(code: ENOENT, call: "rename") }
        files[new] = file
    }

    func synchronize() throws(SystemError) {
        try count(.synchronizeFolder)
        durableNames = files
    }

    private final class Lock: Sendable {
        let disk: SimulatedDisk
        init(_ disk: SimulatedDisk) { self.disk = disk }
        deinit { disk.isLocked = false }
    }

    func lock(_ name: String) throws(SystemError) -> any AnyObject & Sendable {
        guard !isLocked else { throw SystemError(code: EWOULDBLOCK, call: "flock \(name)") }
        isLocked = true
        if files[name] == nil { files[name] = Content() }
        return Lock(self)
    }

    func holder(of name: String) -> Int? { isLocked ? 1 : nil }

    // MARK: Files

    private final class File: DiskFile {
        let disk: SimulatedDisk
        let content: Content

        init(disk: SimulatedDisk, content: Content) {
            self.disk = disk
            self.content = content
        }

        func size() throws(SystemError) -> Int { content.cached.count }

        func read(into buffer: inout [UInt8], _ range: Range<Int>, at offset: Int) throws(SystemError) -> Int {
            try disk.count(.read)
            let count = max(0, min(range.count, content.cached.count - offset))
            guard count > 0 else { return 0 }
            let start = range.lowerBound
            buffer.replaceSubrange(start..<start + count, with: content.cached[offset..<offset + count])
            return count
        }

        func readNow(
            into buffer: inout [UInt8],
            _ range: Range<Int>,
            at offset: Int,
        ) throws(SystemError) -> DataFile.ReadNow {
            disk.isCold ? .wouldWait : .bytes(try read(into: &buffer, range, at: offset))
        }

        func write(_ bytes: Span<UInt8>, at offset: Int) throws(SystemError) -> Int {
            try disk.count(.write)
            let growth = max(0, offset + bytes.count - max(content.allocated, content.cached.count))
            let free = max(0, disk.budget - disk.usedBytes)
            let count = min(bytes.count - max(0, growth - free), disk.shortWrites)
            guard count > 0 else { throw SystemError(code: ENOSPC, call: "write") }
            var part: [UInt8] = []
            part.reserveCapacity(count)
            for index in 0..<count { part.append(bytes[index]) }
            SimulatedDisk.put(part, into: &content.cached, at: offset)
            content.unsynced.append((offset, part))
            content.writtenEnd = max(content.writtenEnd, offset + count)
            return count
        }

        func synchronize() throws(SystemError) {
            disk.whileSynchronizing()
            do {
                try disk.count(.synchronize)
            } catch {
                // As Linux does it: the pages count as clean from now on, and never reach the disk.
                content.unsynced = []
                throw error
            }
            if content.writtenEnd > content.durableEnd { disk.metadataSynchronizations += 1 }
            content.durableEnd = content.writtenEnd
            // What a failed sync has lost stays lost.
            for write in content.unsynced { SimulatedDisk.put(write.bytes, into: &content.durable, at: write.offset) }
            if content.durable.count < content.cached.count {
                let missing = content.cached.count - content.durable.count
                content.durable.append(contentsOf: repeatElement(0, count: missing))
            }
            if content.durable.count > content.cached.count {
                content.durable.removeLast(content.durable.count - content.cached.count)
            }
            content.unsynced = []
        }

        func allocate(_ bytes: Int) throws(SystemError) {
            try disk.count(.allocate)
            guard disk.usedBytes - content.allocated + bytes <= disk.budget else {
                throw SystemError(code: ENOSPC, call: "fallocate")
            }
            content.allocated = max(bytes, content.allocated)
            let missing = bytes - content.cached.count
            if missing > 0 { content.cached.append(contentsOf: repeatElement(0, count: missing)) }
        }

        func truncate(to bytes: Int) throws(SystemError) {
            try disk.count(.truncate)
            content.allocated = bytes
            if bytes < content.cached.count {
                content.cached.removeLast(content.cached.count - bytes)
            } else {
                content.cached.append(contentsOf: repeatElement(0, count: bytes - content.cached.count))
            }
        }
    }
}
