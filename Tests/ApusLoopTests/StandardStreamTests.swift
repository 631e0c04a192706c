import Glibc
import Testing

@testable import ApusLoop

@Suite("Standard streams")
struct StandardStreamTests {
    /// Both ends of a pipe, blocking as those of a shell are.
    private struct Pipe: ~Copyable {
        let reading: Descriptor
        let writing: Descriptor

        init() {
            var numbers: [Int32] = [0, 0]
            #expect(pipe(&numbers) == 0)
            reading = Descriptor(owning: numbers[0])
            writing = Descriptor(owning: numbers[1])
        }

        consuming func closeWriting() -> Descriptor { reading }
    }

    @Test func `an empty pipe is not waited for`() throws {
        let pipe = Pipe()
        #expect(try StandardStream.readAvailable(pipe.reading.number, limit: 10) == .nothing)
    }

    @Test func `what was written is read up to the limit, then nothing, then the end`() throws {
        let pipe = Pipe()
        try StandardStream.write([1, 2, 3], to: pipe.writing.number)
        #expect(try StandardStream.readAvailable(pipe.reading.number, limit: 2) == .bytes([1, 2]))
        #expect(try StandardStream.readAvailable(pipe.reading.number, limit: 2) == .bytes([3]))
        #expect(try StandardStream.readAvailable(pipe.reading.number, limit: 2) == .nothing)
        let reading = pipe.closeWriting()
        #expect(try StandardStream.readAvailable(reading.number, limit: 2) == .endOfStream)
    }

    @Test(arguments: [(10, true), (3, true), (2, false)])
    func `all bytes are read, or none beyond the limit`(limit: Int, fits: Bool) throws {
        let pipe = Pipe()
        try StandardStream.write([1, 2, 3], to: pipe.writing.number)
        let reading = pipe.closeWriting()
        #expect(try StandardStream.readAll(reading.number, limit: limit) == (fits ? [1, 2, 3] : nil))
    }

    @Test func `a write that nobody reads is a broken pipe, not the end of the process`() throws {
        ignoreBrokenPipe()
        var numbers: [Int32] = [0, 0]
        #expect(pipe(&numbers) == 0)
        close(numbers[0])
        let writing = Descriptor(owning: numbers[1])
        let error = #expect(throws: SystemError.self) { try StandardStream.write([1], to: writing.number) }
        #expect(error?.isBrokenPipe == true)
    }

    @Test func `a write larger than the pipe goes on when the reader reads`() throws {
        let pipe = Pipe()
        let flags = fcntl(pipe.writing.number, F_GETFL)
        #expect(fcntl(pipe.writing.number, F_SETFL, flags | O_NONBLOCK) == 0)
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
        let number = pipe.writing.number
        let writer = try NativeThread(name: "writer") {
            do { try StandardStream.write(bytes, to: number) } catch { Issue.record(error) }
        }
        var read: [UInt8] = []
        while read.count < bytes.count {
            if case .bytes(let more) = try StandardStream.readAvailable(pipe.reading.number, limit: 4096) {
                read += more
            }
        }
        writer.join()
        #expect(read == bytes)
    }

    @Test func `a missing file is named`() {
        let error = #expect(throws: SystemError.self) {
            try StandardStream.readAll(file: "/nowhere/at/all", limit: 1)
        }
        #expect(error?.description == "/nowhere/at/all: No such file or directory (ENOENT)")
    }
}
