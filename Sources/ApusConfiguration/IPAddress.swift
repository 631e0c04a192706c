/// The bytes of an IP address as they are written in a URL, for telling loopback from the rest.
struct IPAddress: Equatable {
    /// 4 or 16 bytes.
    let bytes: [UInt8]

    /// Four decimal numbers; nothing shorter, no octal.
    init?(v4 text: Substring) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                part.utf8.count == 1 || part.utf8.first != 0x30, let byte = UInt8(part)
            else { return nil }
            bytes.append(byte)
        }
        self.bytes = bytes
    }

    /// Eight groups with at most one `::`, the last two also as an IPv4 address (RFC 4291, section 2.2); no zone.
    init?(v6 text: Substring) {
        var halves: [Substring] = [text]
        if let gap = text.indices.first(where: { text[$0...].hasPrefix("::") }) {
            halves = [text[..<gap], text[gap...].dropFirst(2)]
        }
        var parsed: [[UInt8]] = []
        for half in halves {
            guard let bytes = Self.groups(half, isLast: half.endIndex == text.endIndex) else { return nil }
            parsed.append(bytes)
        }
        if parsed.count == 1 {
            guard parsed[0].count == 16 else { return nil }
            bytes = parsed[0]
        } else {
            let missing = 16 - parsed[0].count - parsed[1].count
            guard missing >= 2 else { return nil }
            bytes = parsed[0] + [UInt8](repeating: 0, count: missing) + parsed[1]
        }
    }

    var isLoopback: Bool {
        if bytes.count == 4 { return bytes[0] == 127 }
        let isMappedV4 = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMappedV4 ? bytes[12] == 127 : bytes[..<15].allSatisfy { $0 == 0 } && bytes[15] == 1
    }

    private static func groups(_ text: Substring, isLast: Bool) -> [UInt8]? {
        guard !text.isEmpty else { return [] }
        var bytes: [UInt8] = []
        let groups = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, group) in groups.enumerated() {
            if isLast, index == groups.count - 1, let v4 = IPAddress(v4: group) {
                bytes += v4.bytes
            } else if (1...4).contains(group.utf8.count), group.utf8.first != UInt8(ascii: "+"),
                group.utf8.first != UInt8(ascii: "-"), let value = UInt16(group, radix: 16)
            {
                bytes += [UInt8(value >> 8), UInt8(value & 0xFF)]
            } else {
                return nil
            }
        }
        return bytes.count <= 16 ? bytes : nil
    }
}
