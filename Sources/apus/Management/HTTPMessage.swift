/// A request to an HTTP server, one for each connection.
struct HTTPRequest {
    var method: String
    /// Path and query, percent-encoded.
    var target: String
    /// The value of `Host`.
    var host: String
    var fields: [(name: String, value: String)] = []
    var body: [UInt8] = []

    /// HTTP/1.1; the server is asked to close afterwards.
    var bytes: [UInt8] {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n"
        for (name, value) in fields { head += "\(name): \(value)\r\n" }
        if !body.isEmpty || method != "GET" { head += "Content-Length: \(body.count)\r\n" }
        return Array((head + "\r\n").utf8) + body
    }

    /// Percent-encoding of everything but unreserved characters (RFC 3986, 2.3).
    static func encoded(_ text: String) -> String {
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                out.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                out += digits.utf8.count < 2 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return out
    }
}

struct HTTPResponse: Equatable {
    var status: Int
    var body: [UInt8]
}

/// What a server sent is no HTTP/1.x response.
struct HTTPError: Error, Equatable, CustomStringConvertible {
    let description: String
}

/// Puts a response together from what comes in.
///
/// A head has at most 64 KiB, a body at most 256 MiB; more is an error.
struct HTTPResponseReader {
    private enum Length {
        case counted(Int)
        case chunked
        case untilClosed
    }

    private var bytes: [UInt8] = []
    private var head: (status: Int, length: Length)?
    private var body: [UInt8] = []

    private static let longestHead = 64 << 10
    private static let longestBody = 256 << 20

    /// - Returns: the response when it is complete.
    mutating func received(_ new: [UInt8]) throws(HTTPError) -> HTTPResponse? {
        bytes += new
        while true {
            guard let head else {
                guard try readHead() else { return nil }
                continue
            }
            switch head.length {
            case .counted(let count):
                guard count <= bytes.count else { return nil }
                return HTTPResponse(status: head.status, body: Array(bytes[..<count]))
            case .chunked:
                guard try readChunks() else { return nil }
                return HTTPResponse(status: head.status, body: body)
            case .untilClosed:
                guard bytes.count <= Self.longestBody else { throw HTTPError(description: "the answer is too long") }
                return nil
            }
        }
    }

    /// The server has closed the connection.
    func closed() throws(HTTPError) -> HTTPResponse {
        guard let head, case .untilClosed = head.length else {
            throw HTTPError(description: bytes.isEmpty && head == nil ? "no answer" : "the answer is not complete")
        }
        return HTTPResponse(status: head.status, body: bytes)
    }

    // MARK: - Parts

    /// Whether the head is complete; answers that only announce another one (1xx) are passed over.
    private mutating func readHead() throws(HTTPError) -> Bool {
        guard let end = Self.find([13, 10, 13, 10], in: bytes[...]) else {
            let start = Array("HTTP/1.".utf8)
            guard bytes.count <= Self.longestHead, bytes.prefix(start.count).elementsEqual(start.prefix(bytes.count))
            else { throw HTTPError(description: "the answer is not HTTP") }
            return false
        }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        bytes.removeFirst(end + 4)
        let words = (lines.first ?? "").split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]), (100...999).contains(status)
        else { throw HTTPError(description: "the answer is not HTTP") }
        if status < 200 { return try readHead() }
        head = (status, try Self.length(status, lines.dropFirst()))
        return true
    }

    private static func length(_ status: Int, _ lines: ArraySlice<Substring>) throws(HTTPError) -> Length {
        if status == 204 || status == 304 { return .counted(0) }
        var length = Length.untilClosed
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let value = parts[1].drop { $0 == " " || $0 == "\t" }
            switch parts[0].lowercased() {
            case "transfer-encoding" where value.lowercased().hasSuffix("chunked"): return .chunked
            case "content-length":
                guard let count = Int(value), (0...longestBody).contains(count) else {
                    throw HTTPError(description: "the answer has the length '\(value)'")
                }
                length = .counted(count)
            default: break
            }
        }
        return length
    }

    /// Whether the last chunk has come; trailers are left.
    private mutating func readChunks() throws(HTTPError) -> Bool {
        while let end = Self.find([13, 10], in: bytes[...]) {
            let digits = String(decoding: bytes[..<end], as: UTF8.self).prefix { $0 != ";" && $0 != " " }
            guard let count = Int(digits, radix: 16), (0...Self.longestBody - body.count).contains(count) else {
                throw HTTPError(description: "the answer has a chunk of '\(digits)' bytes")
            }
            if count == 0 { return true }
            guard bytes.count >= end + 2 + count + 2 else { return false }
            body += bytes[end + 2..<end + 2 + count]
            bytes.removeFirst(end + 2 + count + 2)
        }
        guard bytes.count < 1024 else { throw HTTPError(description: "the answer has a chunk without a length") }
        return false
    }

    private static func find(_ pattern: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        var index = bytes.startIndex
        while index + pattern.count <= bytes.endIndex {
            if bytes[index] == pattern[0], bytes[index..<index + pattern.count].elementsEqual(pattern) { return index }
            index += 1
        }
        return nil
    }
}
