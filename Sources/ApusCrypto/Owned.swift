internal import COpenSSL

/// An object of libcrypto, freed at the end of its scope; the functions of libcrypto refuse or ignore null.
struct Owned: ~Copyable {
    let pointer: OpaquePointer?
    private let free: (OpaquePointer?) -> Void

    init(_ pointer: OpaquePointer?, _ free: @escaping (OpaquePointer?) -> Void) {
        self.pointer = pointer
        self.free = free
    }

    init(_ pointer: OpaquePointer?, _ free: @escaping (OpaquePointer?) -> Int32) {
        self.init(pointer) { _ = free($0) }
    }

    deinit { free(pointer) }

    /// A text to read from, in libcrypto's own memory: `BIO_new_mem_buf` would point into a string that may be gone.
    static func copy(of text: String) -> Owned { copy(of: Array(text.utf8)) }

    /// Likewise bytes.
    static func copy(of bytes: [UInt8]) -> Owned {
        let memory = Owned(BIO_new(BIO_s_mem()), BIO_free_all)
        _ = BIO_write(memory.pointer, bytes, Int32(clamping: bytes.count))
        return memory
    }

    /// What is left to read of a memory that was written to.
    var content: [UInt8] {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 4096)
        while case let count = BIO_read(pointer, &block, Int32(block.count)), count > 0 {
            bytes += block[..<Int(count)]
        }
        return bytes
    }
}
