import Testing

@testable import ApusLog

@Suite("Checksum")
struct ChecksumTests {
    /// Vectors of the algorithm's specification: the buffer of its sanity check, and well-known texts.
    @Test(
        arguments: [
            (0, 0, 0xEF46_DB37_51D8_E999),
            (0, 0x9E37_79B1, 0xAC75_FDA2_929B_17EF),
            (1, 0, 0xE934_A84A_DB05_2768),
            (1, 0x9E37_79B1, 0x5014_6076_43A9_B4C3),
            (4, 0, 0x9136_A0DC_A574_57EE),
            (14, 0, 0x8282_DCC4_994E_35C8),
            (14, 0x9E37_79B1, 0xC3BD_6BF6_3DEB_6DF0),
            (222, 0, 0xB641_AE8C_B691_C174),
            (222, 0x9E37_79B1, 0x20CB_8AB7_AE10_C14A),
        ] as [(Int, UInt64, UInt64)]
    )
    func `the official vectors hold`(count: Int, seed: UInt64, expected: UInt64) {
        var generator: UInt64 = 2_654_435_761
        var buffer: [UInt8] = []
        for _ in 0..<count {
            buffer.append(UInt8(generator >> 56))
            generator = generator &* 11_400_714_785_074_694_797
        }
        #expect(Checksum.xxh64(buffer.span, 0..<count, seed: seed) == expected)
    }

    @Test(
        arguments: [
            ("", 0xEF46_DB37_51D8_E999),
            ("a", 0xD24E_C4F1_A98C_6E5B),
            ("abc", 0x44BC_2CF5_AD77_0999),
            ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
        ] as [(String, UInt64)]
    )
    func `well-known texts have their checksums`(text: String, expected: UInt64) {
        let bytes = [0x55, 0x55, 0x55] + Array(text.utf8) + [0x55]
        #expect(Checksum.xxh64(bytes.span, 3..<bytes.count - 1, seed: 0) == expected)
    }
}
