internal import CLinux
internal import Glibc

/// A file that is read and written at places named by the caller; any thread may use it.
///
/// Only where what is written must be safe: nothing is hidden, least of all a short write or an error of a sync.
package final class DataFile: Sendable {
    private let descriptor: Descriptor
    /// For error messages.
    package let path: String

    package enum Opening: Sendable {
        case reading
        case writing
        /// The file must not exist.
        case creating
    }

    /// What a read that does not wait has found.
    package enum ReadNow: Sendable, Equatable {
        /// So many bytes; fewer than asked for where the file ends, or where the rest is not in memory.
        case bytes(Int)
        case wouldWait
    }

    package init(_ path: String, _ opening: Opening) throws(SystemError) {
        let flags =
            switch opening {
            case .reading: O_RDONLY
            case .writing: O_RDWR
            case .creating: O_RDWR | O_CREAT | O_EXCL
            }
        var number = open(path, flags | O_CLOEXEC, 0o600)
        while number < 0, errno == EINTR { number = open(path, flags | O_CLOEXEC, 0o600) }
        guard number >= 0 else { throw .current("open \(path)") }
        descriptor = Descriptor(owning: number)
        self.path = path
    }

    package func size() throws(SystemError) -> Int {
        var status = stat()
        guard fstat(descriptor.number, &status) == 0 else { throw .current("fstat \(path)") }
        return Int(status.st_size)
    }

    /// Reads to `range` of the buffer, waiting for the disk.
    ///
    /// - Returns: how many bytes; fewer than asked for only where the file ends.
    package func read(into buffer: inout [UInt8], _ range: Range<Int>, at offset: Int) throws(SystemError) -> Int {
        precondition(range.lowerBound >= 0 && range.upperBound <= buffer.count)
        var done = 0
        while done < range.count {
            let count = buffer.withUnsafeMutableBytes {
                pread(
                    descriptor.number,
                    $0.baseAddress.map { $0 + range.lowerBound + done },
                    range.count - done,
                    offset + done
                )
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .current("read \(path)") }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Reads what is in memory already.
    package func readNow(into buffer: inout [UInt8], _ range: Range<Int>, at offset: Int) throws(SystemError) -> ReadNow
    {
        precondition(range.lowerBound >= 0 && range.upperBound <= buffer.count)
        let count = buffer.withUnsafeMutableBytes {
            apus_read_now(descriptor.number, $0.baseAddress.map { $0 + range.lowerBound }, UInt(range.count), offset)
        }
        if count >= 0 { return .bytes(count) }
        switch errno {
        case EAGAIN, EINTR: return .wouldWait
        // This file system cannot tell; then the bytes are near, or waiting is all that is left.
        case EOPNOTSUPP, ENOSYS, EINVAL: return .bytes(try read(into: &buffer, range, at: offset))
        default: throw .current("read \(path)")
        }
    }

    /// Writes once.
    ///
    /// - Returns: how many bytes; may be fewer than given.
    package func write(_ bytes: Span<UInt8>, at offset: Int) throws(SystemError) -> Int {
        while true {
            let count = bytes.withUnsafeBytes { pwrite(descriptor.number, $0.baseAddress, $0.count, offset) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .current("write \(path)") }
            return count
        }
    }

    /// Waits until all that was written is on the disk.
    ///
    /// After an error nothing is known of what was written since the last success, and a second call does not find out.
    package func synchronize() throws(SystemError) {
        guard fdatasync(descriptor.number) == 0 else { throw .current("fdatasync \(path)") }
    }

    /// Takes room on the disk up to this size; what was not written is zero.
    package func allocate(_ bytes: Int) throws(SystemError) {
        while fallocate(descriptor.number, 0, 0, bytes) != 0 {
            switch errno {
            case EINTR: continue
            // A file system that takes room only when written: the size alone.
            case EOPNOTSUPP: return try truncate(to: bytes)
            default: throw .current("fallocate \(path)")
            }
        }
    }

    package func truncate(to bytes: Int) throws(SystemError) {
        guard ftruncate(descriptor.number, bytes) == 0 else { throw .current("ftruncate \(path)") }
    }
}
