/// Where one control packet lies in a span of bytes; all offsets count from the start of that span.
public struct Frame: Equatable, Sendable {
    /// The packet's type, never the reserved 0.
    public let type: PacketType
    /// The whole first byte: type and flags.
    public let firstByte: UInt8
    /// Where the packet begins.
    public let start: Int
    /// Everything after the fixed header.
    public let body: Range<Int>

    /// Where the next packet begins.
    @inlinable
    public var end: Int { body.upperBound }

    /// Bytes of the whole packet, as Maximum Packet Size counts them.
    @inlinable
    public var size: Int { body.upperBound - start }

    /// Checks what the fixed header may say in `version`.
    ///
    /// MQTT 3.1 knew a DUP flag in PUBREL, SUBSCRIBE and UNSUBSCRIBE, so it is not held against its clients; nor does
    /// any 3.x text ask for the shortest remaining length, which some small devices pad.
    func checkHeader(_ version: ProtocolVersion) throws(DecodeError) {
        if type != .publish {
            let flags = firstByte & 0x0F
            let ignored: UInt8 = version == .v3_1 && type.reservedFlags != 0 ? 0b1000 : 0
            guard flags & ~ignored == type.reservedFlags else { throw .reservedHeaderFlags }
        }
        if version == .v5, body.lowerBound - start - 1 != VariableByteInteger.size(of: body.count) {
            throw .variableByteIntegerNotMinimal
        }
    }
}

/// Cuts a stream of bytes into control packets.
public enum FrameDecoder {
    /// Bytes of the largest packet that four length bytes can describe, fixed header included.
    public static let largestPacket = 5 + VariableByteInteger.maximum

    /// The packet that begins at `offset`, or `nil` when more bytes are needed.
    ///
    /// Looks only at the fixed header, so a packet that is too large is refused before its body arrives and nobody
    /// has to hold it. `offset` must lie within `bytes` or at its end.
    ///
    /// - Parameter maximumPacketSize: the limit for the whole packet, fixed header included.
    /// - Throws: a reserved type, a remaining length of five bytes, a packet beyond the limit.
    public static func next(
        _ bytes: Span<UInt8>,
        at offset: Int,
        maximumPacketSize: Int,
    ) throws(DecodeError) -> Frame? {
        let available = bytes.count - offset
        guard available > 0 else { return nil }
        let firstByte = bytes[offset]
        guard let type = PacketType(rawValue: firstByte >> 4) else { throw .reservedPacketType }
        guard available > 1 else { return nil }

        let second = Int(bytes[offset + 1])
        var headerSize = 2
        var length = second
        if second > 127 {
            length = second & 0x7F
            var shift = 7
            while true {
                guard headerSize < 5 else { throw .remainingLengthTooLong }
                guard available > headerSize else { return nil }
                let byte = Int(bytes[offset + headerSize])
                headerSize += 1
                length |= (byte & 0x7F) << shift
                if byte < 128 { break }
                shift += 7
            }
        }
        guard headerSize + length <= maximumPacketSize else { throw .packetTooLarge }
        guard available - headerSize >= length else { return nil }
        let bodyStart = offset + headerSize
        return Frame(type: type, firstByte: firstByte, start: offset, body: bodyStart..<bodyStart + length)
    }

    /// Bytes of the whole packet that begins at `offset`; `nil` while its fixed header is incomplete or when it is
    /// malformed.
    ///
    /// For sizing a buffer after ``next(_:at:maximumPacketSize:)`` answered `nil`.
    public static func requiredBytes(_ bytes: Span<UInt8>, at offset: Int) -> Int? {
        var length = 0
        var headerSize = 1
        while headerSize < 5 {
            guard bytes.count - offset > headerSize else { return nil }
            let byte = Int(bytes[offset + headerSize])
            length |= (byte & 0x7F) << (7 * (headerSize - 1))
            headerSize += 1
            if byte < 128 { return headerSize + length }
        }
        return nil
    }
}
