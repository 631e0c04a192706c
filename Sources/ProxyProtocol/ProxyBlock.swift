/// Version 2: a binary block of a signature, command, family, length, addresses and extensions.
enum ProxyBlock {
    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    static let headBytes = 16
    /// The bound of head and everything behind it: room for names, little enough for a peer not authenticated yet.
    static let maximumBytes = 4096

    static func parse(_ bytes: Span<UInt8>) throws(ProxyProtocolError) -> ProxyHeader? {
        guard bytes.agrees(with: signature) else { throw .noHeader }
        if bytes.count > 12 { guard bytes[12] == 0x20 || bytes[12] == 0x21 else { throw .unsupported } }
        if bytes.count > 13 { guard addressBytes(bytes[13]) != nil else { throw .unsupported } }
        guard bytes.count >= headBytes else { return nil }
        let end = headBytes + (Int(bytes[14]) << 8 | Int(bytes[15]))
        guard end <= maximumBytes else { throw .tooLong }
        guard bytes.count >= end else { return nil }
        // What follows LOCAL is to be skipped unread.
        guard bytes[12] == 0x21 else { return ProxyHeader(source: .local, consumed: end) }

        let block = bytes.extracting(headBytes..<end)
        let addresses = addressBytes(bytes[13]) ?? 0
        guard block.count >= addresses else { throw .addressTooShort }
        var header = ProxyHeader(source: source(bytes[13], block), consumed: end)
        try header.readExtensions(block.extracting(addresses...))
        return header
    }

    /// How many bytes the addresses of a family and transport take; nil where they cannot be a stream.
    private static func addressBytes(_ family: UInt8) -> Int? {
        switch family {
        case 0x00: 0
        case 0x11: 12
        case 0x21: 36
        case 0x31: 216
        default: nil
        }
    }

    private static func source(_ family: UInt8, _ block: Span<UInt8>) -> ProxyHeader.Source {
        switch family {
        case 0x11:
            let address = InternetAddress.version4(block.extracting(..<4).array())
            return .internet(address: address.text, port: word(block, 8))
        case 0x21:
            let address = InternetAddress.version6((0..<8).map { word(block, 2 * $0) })
            return .internet(address: address.text, port: word(block, 32))
        case 0x31:
            let path = block.extracting(..<108).array().prefix { $0 != 0 }
            return .unix(path: String(decoding: path, as: UTF8.self))
        default:
            return .local
        }
    }

    static func word(_ bytes: Span<UInt8>, _ index: Int) -> UInt16 {
        UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1])
    }
}

// MARK: - Extensions

extension ProxyHeader {
    private enum Kind {
        static let authority: UInt8 = 0x02
        static let tls: UInt8 = 0x20
        static let commonName: UInt8 = 0x22
    }

    /// Walks the type-length-values: unknown ones are skipped, all must end where the header ends.
    fileprivate mutating func readExtensions(_ bytes: Span<UInt8>) throws(ProxyProtocolError) {
        var index = 0
        while let (kind, value) = try Self.extensionValue(bytes, at: index) {
            index = value.upperBound
            switch kind {
            case Kind.authority: authority = String(validating: bytes.extracting(value).array(), as: UTF8.self)
            case Kind.tls: try readTLS(bytes.extracting(value))
            default: break
            }
        }
    }

    /// The client's certificate: bits, the result of its verification, and values of its own.
    private mutating func readTLS(_ bytes: Span<UInt8>) throws(ProxyProtocolError) {
        guard bytes.count >= 5 else { throw .malformedExtension }
        // The client came by TLS, with a certificate in this connection or in the session that it resumes, which was
        // verified. Only then is the name worth anything.
        let isVerified =
            bytes[0] & 0x01 != 0 && bytes[0] & 0x06 != 0 && (1..<5).allSatisfy { bytes[$0] == 0 }
        var index = 5
        while let (kind, value) = try Self.extensionValue(bytes, at: index) {
            index = value.upperBound
            guard kind == Kind.commonName, isVerified else { continue }
            certificateCommonName = String(validating: bytes.extracting(value).array(), as: UTF8.self)
        }
    }

    /// The type and the place of the value that starts at `index`; nil at the end.
    private static func extensionValue(
        _ bytes: Span<UInt8>,
        at index: Int,
    ) throws(ProxyProtocolError) -> (kind: UInt8, value: Range<Int>)? {
        guard index < bytes.count else { return nil }
        guard bytes.count - index >= 3 else { throw .malformedExtension }
        let start = index + 3
        let count = Int(ProxyBlock.word(bytes, index + 1))
        guard count <= bytes.count - start else { throw .malformedExtension }
        return (bytes[index], start..<(start + count))
    }
}
