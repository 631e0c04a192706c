internal import ApusCrypto
package import ApusMessage

/// What a token grants (apsaramq-facts 2.4).
///
/// A token carries all of this itself, sealed with a secret of the service, so that issuing one writes nothing; only what
/// is taken back before its time is stored (``RevokedToken``).
package struct Token: Sendable, Hashable {
    /// 32 hexadecimal digits.
    package var id: String
    package var instance: InstanceNumber
    /// Who asked for it.
    package var accessKeyID: String
    package var mayRead: Bool
    package var mayWrite: Bool
    /// Topics and filters, at most 100.
    package var resources: [String]
    /// Unix milliseconds.
    package var issuedAt: Int64
    /// Unix milliseconds; at most 30 days after `issuedAt`.
    package var expiresAt: Int64

    package init(
        id: String,
        instance: InstanceNumber,
        accessKeyID: String,
        mayRead: Bool,
        mayWrite: Bool,
        resources: [String],
        issuedAt: Int64,
        expiresAt: Int64,
    ) {
        self.id = id
        self.instance = instance
        self.accessKeyID = accessKeyID
        self.mayRead = mayRead
        self.mayWrite = mayWrite
        self.resources = resources
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }
}

/// Makes and reads the text of tokens: Base64 of version, fields and HMAC-SHA256 of both.
package struct TokenSeal: Sendable {
    private let secret: [UInt8]

    /// Under which the catalog keeps the secret.
    package static let secretName = "token"

    private static let version: UInt8 = 1
    private static let sealBytes = 32
    /// Far above 100 resources of 64 characters.
    private static let maximumBytes = 49_152

    /// - Parameter secret: 32 bytes that only the service knows.
    package init(secret: [UInt8]) { self.secret = secret }

    /// The token's text: neither `|` nor `,` stands in it.
    package func seal(_ token: Token) -> String {
        var bytes: [UInt8] = [Self.version, (token.mayRead ? 1 : 0) | (token.mayWrite ? 2 : 0)]
        bytes.append(token.instance.rawValue)
        bytes.append(UInt64(bitPattern: token.issuedAt))
        bytes.append(UInt64(bitPattern: token.expiresAt))
        for text in [token.id, token.accessKeyID] + token.resources {
            bytes.append(UInt16(truncatingIfNeeded: text.utf8.count))
            bytes += Array(text.utf8)
        }
        return Base64.encode(bytes + HMAC.sha256(key: secret, bytes))
    }

    /// The token whose text this is; `nil` when it is forged or no token at all.
    package func open(_ text: String) -> Token? {
        guard text.utf8.count <= Self.maximumBytes, let bytes = Base64.decode(text),
            bytes.count > Self.sealBytes
        else { return nil }
        let fields = Array(bytes.dropLast(Self.sealBytes))
        guard constantTimeEqual(HMAC.sha256(key: secret, fields), Array(bytes.suffix(Self.sealBytes))) else {
            return nil
        }
        var reader = FieldReader(fields)
        guard reader.byte() == Self.version, let flags = reader.byte(), let number = reader.uint32(),
            let issuedAt = reader.uint64(), let expiresAt = reader.uint64(), let id = reader.text(),
            let accessKeyID = reader.text()
        else { return nil }
        var resources: [String] = []
        while !reader.isAtEnd {
            guard let resource = reader.text() else { return nil }
            resources.append(resource)
        }
        return Token(
            id: id,
            instance: InstanceNumber(rawValue: number),
            accessKeyID: accessKeyID,
            mayRead: flags & 1 != 0,
            mayWrite: flags & 2 != 0,
            resources: resources,
            issuedAt: Int64(bitPattern: issuedAt),
            expiresAt: Int64(bitPattern: expiresAt),
        )
    }
}

extension [UInt8] {
    fileprivate mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        for shift in stride(from: 0, to: Number.bitWidth, by: 8) {
            append(UInt8(truncatingIfNeeded: number >> Number(shift)))
        }
    }
}

private struct FieldReader {
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { at == bytes.count }

    mutating func byte() -> UInt8? { number(UInt8.self) }
    mutating func uint32() -> UInt32? { number(UInt32.self) }
    mutating func uint64() -> UInt64? { number(UInt64.self) }

    mutating func text() -> String? {
        guard let count = number(UInt16.self), bytes.count - at >= Int(count) else { return nil }
        defer { at += Int(count) }
        return String(validating: bytes[at..<at + Int(count)], as: UTF8.self)
    }

    private mutating func number<Number: FixedWidthInteger & UnsignedInteger>(_ type: Number.Type) -> Number? {
        let count = Number.bitWidth / 8
        guard bytes.count - at >= count else { return nil }
        var value: Number = 0
        for index in 0..<count { value |= Number(bytes[at + index]) << Number(8 * index) }
        at += count
        return value
    }
}
