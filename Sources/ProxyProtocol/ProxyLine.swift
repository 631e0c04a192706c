/// Version 1: one line of text, such as `PROXY TCP4 192.0.2.1 198.51.100.1 56324 1883`.
enum ProxyLine {
    static let signature = Array("PROXY ".utf8)
    /// With its CR LF; the specification's bound.
    static let maximumBytes = 107

    static func parse(_ bytes: Span<UInt8>) throws(ProxyProtocolError) -> ProxyHeader? {
        guard bytes.agrees(with: signature) else { throw .noHeader }
        guard let end = try end(of: bytes) else { return nil }
        let line = bytes.extracting(signature.count..<(end - 2)).array()
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map { Array($0) }
        let family = words.first ?? []
        // Whatever follows UNKNOWN is to be ignored.
        if family == Array("UNKNOWN".utf8) { return ProxyHeader(source: .local, consumed: end) }
        guard words.count == 5 else { throw .malformedLine }
        let isVersion4 = family == Array("TCP4".utf8)
        guard isVersion4 || family == Array("TCP6".utf8) else { throw .malformedLine }
        guard let source = address(words[1], isVersion4), address(words[2], isVersion4) != nil,
            let port = number(words[3]), number(words[4]) != nil
        else { throw .malformedLine }
        return ProxyHeader(source: .internet(address: source, port: port), consumed: end)
    }

    /// The length of the line with its CR LF; nil while it is not complete.
    private static func end(of bytes: Span<UInt8>) throws(ProxyProtocolError) -> Int? {
        for index in 0..<min(bytes.count, maximumBytes) {
            switch bytes[index] {
            case 0x0A:
                guard bytes[index - 1] == 0x0D else { throw .malformedLine }
                return index + 1
            case 0x20...0x7E where bytes[max(index, 1) - 1] != 0x0D:
                continue
            case 0x0D where bytes[index - 1] != 0x0D:
                continue
            default:
                throw .malformedLine
            }
        }
        guard bytes.count < maximumBytes else { throw .tooLong }
        return nil
    }

    private static func address(_ text: [UInt8], _ isVersion4: Bool) -> String? {
        isVersion4 ? InternetAddress.readVersion4(text)?.text : InternetAddress.readVersion6(text)?.text
    }

    private static func number(_ text: [UInt8]) -> UInt16? {
        guard (1...5).contains(text.count), text.count == 1 || text[0] != UInt8(ascii: "0"),
            text.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return UInt16(exactly: text.reduce(0) { $0 * 10 + Int($1 - 0x30) })
    }
}
