/// What makes bytes not the head of an HTTP/1.1 message.
enum HTTPHeadError: Error {
    /// More than ``HTTPHead/maximumBytes`` or ``HTTPHead/maximumFields``.
    case tooLarge(String)
    case malformed(String)
}

/// Finds the end of a head that arrives in pieces, looking at each byte once.
///
/// It refuses control characters as they come, so that a peer that speaks MQTT or TLS to a WebSocket listener is
/// answered at its first byte and not at a timeout.
struct HTTPHeadScanner: Sendable {
    private var scanned = 0

    /// The number of bytes of the head, with the empty line; nil while it is not complete.
    ///
    /// - Parameter bytes: everything received so far, always from the first byte.
    mutating func end(in bytes: Span<UInt8>) throws(HTTPHeadError) -> Int? {
        let limit = min(bytes.count, HTTPHead.maximumBytes)
        while scanned < limit {
            let byte = bytes[scanned]
            let afterCarriageReturn = scanned > 0 && bytes[scanned - 1] == ASCII.carriageReturn
            guard afterCarriageReturn == (byte == ASCII.lineFeed) else {
                throw .malformed("a line of the head does not end with CR LF")
            }
            guard byte >= 0x20 && byte != 0x7F || ASCII.isLineEndOrTab(byte) else {
                throw .malformed("the head holds a control character")
            }
            scanned += 1
            if byte == ASCII.lineFeed, scanned >= 4, bytes[scanned - 3] == ASCII.lineFeed {
                return scanned
            }
        }
        if bytes.count >= HTTPHead.maximumBytes {
            throw .tooLarge("the head is longer than \(HTTPHead.maximumBytes) bytes")
        }
        return nil
    }
}

/// The start line and the fields of an HTTP/1.1 head.
struct HTTPHead {
    static let maximumBytes = 8192
    static let maximumFields = 100

    let startLine: String
    /// Names in lower case, values without surrounding blanks, in the order of arrival.
    private(set) var fields: [(name: String, value: String)] = []

    /// - Parameter bytes: exactly the bytes that ``HTTPHeadScanner`` measured.
    init(_ bytes: Span<UInt8>) throws(HTTPHeadError) {
        var line = 0
        var startLine: String?
        for index in bytes.indices where bytes[index] == ASCII.lineFeed {
            let text = bytes.extracting(line..<(index - 1))
            line = index + 1
            guard startLine != nil else {
                startLine = text.text()
                continue
            }
            guard !text.isEmpty else { break }
            guard fields.count < Self.maximumFields else {
                throw .tooLarge("the head has more than \(Self.maximumFields) fields")
            }
            fields.append(try Self.field(text))
        }
        self.startLine = startLine ?? ""
    }

    private static func field(_ line: Span<UInt8>) throws(HTTPHeadError) -> (name: String, value: String) {
        guard let colon = line.indices.first(where: { line[$0] == ASCII.colon }), colon > 0 else {
            throw .malformed("a field of the head has no name")
        }
        // This refuses folded lines and a blank before the colon too: both have smuggled requests past proxies.
        guard (0..<colon).allSatisfy({ ASCII.isToken(line[$0]) }) else {
            throw .malformed("the name of a field holds a character that is not allowed")
        }
        let value = line.extracting((colon + 1)...).trimmed()
        return (line.extracting(..<colon).text().lowercased(), value.text())
    }

    /// The value of a field that may stand once; nil when it is absent.
    func single(_ name: String) throws(HTTPHeadError) -> String? {
        var found: String?
        for field in fields where field.name == name {
            guard found == nil else { throw .malformed("the field \(name) stands twice") }
            found = field.value
        }
        return found
    }

    /// The elements of a comma-separated field, over all its lines; empty elements are left out, as HTTP asks.
    func list(_ name: String) -> [String] {
        fields.lazy.filter { $0.name == name }.flatMap { field in
            field.value.utf8.split(separator: ASCII.comma).compactMap { part -> String? in
                let element = part.trimmedBlanks()
                return element.isEmpty ? nil : String(element)
            }
        }
    }

    /// Whether a list has the element, whatever the case of its letters.
    func list(_ name: String, contains element: String) -> Bool {
        list(name).contains { $0.lowercased() == element }
    }
}
