import ApusCrypto
import Testing

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite("Digests and keyed hashes")
struct DigestTests {
    @Test func `SHA-1 of abc is the value of FIPS 180`() {
        #expect(Hex.encode(Digest.sha1(bytes("abc"))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    }

    @Test func `SHA-1 of nothing is known`() {
        #expect(Hex.encode(Digest.sha1([])) == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    }

    @Test func `the WebSocket accept of RFC 6455 comes out`() {
        let accept = Digest.sha1(bytes("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
        #expect(Base64.encode(accept) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func `SHA-256 gives the known values`(text: String, digest: String) {
        #expect(Hex.encode(Digest.sha256(bytes(text))) == digest)
    }

    @Test func `HMAC gives the values of RFC 2202 and RFC 4231`() {
        let message = bytes("what do ya want for nothing?")
        #expect(
            Hex.encode(HMAC.sha1(key: bytes("Jefe"), message)) == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        )
        #expect(
            Hex.encode(HMAC.sha256(key: bytes("Jefe"), message))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        )
    }

    @Test func `HMAC takes an empty key and an empty message`() {
        #expect(
            Hex.encode(HMAC.sha256(key: [], []))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        )
    }
}

@Suite("Keys from passwords")
struct KeyDerivationTests {
    @Test func `scrypt gives the values of RFC 7914`() throws {
        let empty = try KeyDerivation.scrypt(
            password: [],
            salt: [],
            logCost: 4,
            blockSize: 1,
            parallelism: 1,
            count: 64,
        )
        #expect(
            Hex.encode(empty)
                == "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                + "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"
        )
        let salted = try KeyDerivation.scrypt(
            password: bytes("password"),
            salt: bytes("NaCl"),
            logCost: 10,
            blockSize: 8,
            parallelism: 16,
            count: 64,
        )
        #expect(
            Hex.encode(salted)
                == "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
                + "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
        )
    }

    @Test func `PBKDF2 gives the value of RFC 7914`() throws {
        let key = try KeyDerivation.pbkdf2SHA256(
            password: bytes("passwd"),
            salt: bytes("salt"),
            iterations: 1,
            count: 64
        )
        #expect(
            Hex.encode(key)
                == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
                + "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
        )
    }

    @Test func `the default cost of the password file fits into the memory bound`() throws {
        _ = try KeyDerivation.scrypt(password: [1], salt: [2], logCost: 15, blockSize: 8, parallelism: 1)
    }

    @Test(arguments: [(0, 8, 1), (31, 8, 1), (10, 0, 1), (10, 8, 0), (24, 8, 1), (-1, -1, -1)])
    func `impossible scrypt parameters are refused`(logCost: Int, blockSize: Int, parallelism: Int) {
        #expect(throws: CryptoError.keyDerivationFailed("scrypt")) {
            try KeyDerivation.scrypt(
                password: [],
                salt: [],
                logCost: logCost,
                blockSize: blockSize,
                parallelism: parallelism,
            )
        }
    }

    @Test(arguments: [0, -1, Int.max])
    func `impossible PBKDF2 iterations are refused`(iterations: Int) {
        #expect(throws: CryptoError.keyDerivationFailed("PBKDF2")) {
            try KeyDerivation.pbkdf2SHA256(password: [], salt: [], iterations: iterations)
        }
    }
}

@Suite("Random bytes and comparison")
struct ComparisonTests {
    @Test func `random bytes have the length asked for and differ`() throws {
        #expect(try randomBytes(0) == [])
        let first = try randomBytes(32)
        #expect(first.count == 32)
        #expect(try randomBytes(32) != first)
    }

    @Test func `arrays are equal only when every byte is`() {
        #expect(constantTimeEqual([], []))
        #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2, 4]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2]))
    }
}
