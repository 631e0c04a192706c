import Testing

@testable import ApusBench

@Suite("Payload stamp")
struct PayloadStampTests {
    private func payload(_ stamp: PayloadStamp, count: Int, offset: Int = 0) -> [UInt8] {
        var bytes = [UInt8](repeating: 0x78, count: offset + count)
        stamp.write(to: &bytes, at: offset)
        return bytes
    }

    private let stamp = PayloadStamp(stream: 0x0102_0304, sequence: 0xFFFF_FF05, nanoseconds: -1)

    @Test(arguments: [16, 17, 64, 1000], [0, 3])
    func `a stamp is read as it was written`(count: Int, offset: Int) {
        let bytes = payload(stamp, count: count, offset: offset)
        #expect(PayloadStamp(bytes.span, offset..<offset + count, byteCount: count) == stamp)
    }

    @Test
    func `the bytes are those that are documented`() {
        let bytes = payload(PayloadStamp(stream: 1, sequence: 0x0203, nanoseconds: 4), count: 18)
        #expect(bytes == [1, 0, 0, 0, 3, 2, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0x78, 3])
    }

    @Test
    func `a payload of another length or with another end is damaged`() {
        var bytes = payload(stamp, count: 64)
        #expect(PayloadStamp(bytes.span, 0..<63, byteCount: 64) == nil)
        bytes[63] ^= 1
        #expect(PayloadStamp(bytes.span, 0..<64, byteCount: 64) == nil)
    }
}
