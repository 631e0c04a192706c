internal import ApusLocks
internal import ApusLoop
internal import ApusMessage
internal import ApusStore
internal import Synchronization

/// A thread that waits for the disk in place of the shards, so that what they read next is in memory.
final class ReadAhead: Sendable {
    /// One wish; the shard asks again when it is done.
    final class Request: Sendable {
        fileprivate let file: any DiskFile
        fileprivate let offset: Int
        fileprivate let bytes: Int
        fileprivate let session: SessionHandle
        fileprivate let shard: ShardState
        private let isFinished = Atomic<Bool>(false)

        init(file: any DiskFile, offset: Int, bytes: Int, session: SessionHandle, shard: ShardState) {
            self.file = file
            self.offset = offset
            self.bytes = bytes
            self.session = session
            self.shard = shard
        }

        var isDone: Bool { isFinished.load(ordering: .acquiring) }

        fileprivate func finish() {
            isFinished.store(true, ordering: .releasing)
            shard.notify(.readable(session))
        }
    }

    /// More than is asked for, because what follows will be asked for too.
    private static let leastBytes = 512 << 10

    private let waiting = Guarded<[Request]>([])
    private let wakeUp: WakeUp
    private let isClosing = Atomic<Bool>(false)

    init() throws(SystemError) { wakeUp = try WakeUp() }

    func request(_ request: Request) {
        waiting.withLock { $0.append(request) }
        wakeUp.signal()
    }

    func close() {
        isClosing.store(true, ordering: .sequentiallyConsistent)
        wakeUp.signal()
    }

    /// The thread's work until `close()`.
    func run() {
        var buffer: [UInt8] = []
        while !isClosing.load(ordering: .sequentiallyConsistent) {
            serve(&buffer)
            wakeUp.wait()
        }
    }

    /// Reads for all who wait.
    func serve(_ buffer: inout [UInt8]) {
        while true {
            let requests = waiting.withLock { requests in
                let taken = requests
                requests = []
                return taken
            }
            if requests.isEmpty { return }
            for request in requests {
                let count = max(request.bytes, Self.leastBytes)
                if buffer.count < count { buffer = [UInt8](repeating: 0, count: count) }
                // The shard meets the same error when it reads, and reports it.
                _ = try? request.file.read(into: &buffer, 0..<count, at: request.offset)
                if buffer.count > 4 * Self.leastBytes { buffer = [] }
                request.finish()
            }
        }
    }
}
