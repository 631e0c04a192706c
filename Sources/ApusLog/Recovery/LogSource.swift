package import ApusLoop

/// A segment file as recovery and the tools see it.
package struct LogSource: Sendable {
    package let name: String
    package let number: UInt64
    /// How much of it is looked at.
    package let byteCount: Int
    let file: any DiskFile

    package init(name: String, number: UInt64, byteCount: Int, file: any DiskFile) {
        self.name = name
        self.number = number
        self.byteCount = byteCount
        self.file = file
    }

    /// All segments of the folder, oldest first, with the sizes that they have now.
    package static func all(in disk: any Disk) throws(SystemError) -> [LogSource] {
        var sources: [LogSource] = []
        for name in try disk.list() {
            guard let number = number(ofFile: name) else { continue }
            do throws(SystemError) {
                let file = try disk.open(name, .reading)
                sources.append(LogSource(name: name, number: number, byteCount: try file.size(), file: file))
            } catch {
                // Vacated and deleted in between, when the log is in use.
                if error.name != "ENOENT" { throw error }
            }
        }
        return sources.sorted { $0.number < $1.number }
    }

    func read(_ buffer: inout [UInt8], _ range: Range<Int>, _ offset: Int) throws(SystemError) -> Int {
        guard offset < byteCount else { return 0 }
        let count = min(range.count, byteCount - offset)
        return try file.read(into: &buffer, range.lowerBound..<range.lowerBound + count, at: offset)
    }

    /// The number in the name of a segment's file, twelve digits and `.log`, from 1 to 2^32 - 1; `nil` for other files.
    package static func number(ofFile name: String) -> UInt64? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1] == "log", parts[0].utf8.count == 12,
            parts[0].utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return UInt64(parts[0]).flatMap { (1...UInt64(UInt32.max)).contains($0) ? $0 : nil }
    }

    /// The name of a segment's file.
    package static func name(ofSegment number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 12 - digits.utf8.count)) + digits + ".log"
    }
}

/// A part of a file in memory that moves along with its reader.
struct FileWindow {
    private let source: LogSource
    private var buffer: [UInt8]
    /// Where the buffer begins in the file.
    private var start = 0
    /// How much of the buffer is filled.
    private var filled = 0
    private static let step = 1 << 20

    init(_ source: LogSource) {
        self.source = source
        buffer = [UInt8](repeating: 0, count: min(2 * Self.step, source.byteCount))
    }

    var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { buffer.span }
    }

    /// Where a place of the file stands in `bytes`.
    func index(of offset: Int) -> Int { offset - start }

    /// Brings bytes of the file into the buffer; what was there before may go.
    ///
    /// - Returns: whether all of them are there.
    mutating func load(_ offset: Int, _ count: Int) throws(SystemError) -> Bool {
        if offset >= start, offset + count <= start + filled { return true }
        if offset >= start, offset < start + filled {
            let kept = start + filled - offset
            let from = offset - start
            if from > 0 {
                var target = buffer.mutableSpan
                for index in 0..<kept { target[unchecked: index] = target[unchecked: index &+ from] }
            }
            filled = kept
        } else {
            filled = 0
        }
        start = offset
        let wanted = max(count, min(Self.step, source.byteCount - start))
        if wanted > buffer.count {
            buffer.append(contentsOf: repeatElement(0, count: wanted - buffer.count))
        }
        let target = max(count, min(buffer.count, source.byteCount - start))
        while filled < target {
            let read = try source.read(&buffer, filled..<target, start + filled)
            if read <= 0 { return filled >= count }
            filled += read
        }
        return true
    }
}
