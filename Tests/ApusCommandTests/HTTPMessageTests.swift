import Testing

@testable import apus

@Suite("HTTP of the tools")
struct HTTPMessageTests {
    @Test func `a request has its fields and its length`() {
        var request = HTTPRequest(method: "POST", target: "/a", host: "h:1", fields: [("X", "y")], body: [1, 2])
        let head = "POST /a HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\nX: y\r\nContent-Length: 2\r\n\r\n"
        #expect(request.bytes == Array(head.utf8) + [1, 2])
        request.method = "GET"
        request.body = []
        #expect(!String(decoding: request.bytes, as: UTF8.self).contains("Content-Length"))
    }

    @Test func `only unreserved characters stay as they are`() {
        #expect(HTTPRequest.encoded("GID_a@@@b/c #ü~") == "GID_a%40%40%40b%2Fc%20%23%C3%BC~")
        #expect(HTTPRequest.encoded("\r\n\0") == "%0D%0A%00")
    }

    /// An answer as it comes, and what it holds; nil where only the end of the connection completes it.
    static let answers: [(String, String?)] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
        ("HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", ""),
        ("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", "hello"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
        ("HTTP/1.0 200 OK\r\n\r\nhello", nil),
    ]

    @Test(arguments: answers)
    func `an answer is the same wherever it is cut`(text: String, body: String?) throws {
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count {
            var reader = HTTPResponseReader()
            let first = try reader.received(Array(bytes[..<cut]))
            let second = try first ?? reader.received(Array(bytes[cut...]))
            let response = try #require(try body == nil ? reader.closed() : second)
            #expect(response.status == 200)
            #expect(String(decoding: response.body, as: UTF8.self) == body ?? "hello")
        }
    }

    @Test func `204 has no body`() throws {
        var reader = HTTPResponseReader()
        let response = try reader.received(Array("HTTP/1.1 204 No Content\r\n\r\n".utf8))
        #expect(response == HTTPResponse(status: 204, body: []))
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH", " ", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    ])
    func `what is no answer is refused`(text: String) {
        var reader = HTTPResponseReader()
        #expect(throws: HTTPError.self) { try reader.received(Array(text.utf8)) }
    }

    @Test(arguments: ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"])
    func `an answer that is cut off is refused`(text: String) throws {
        var reader = HTTPResponseReader()
        #expect(try reader.received(Array(text.utf8)) == nil)
        #expect(throws: HTTPError.self) { try reader.closed() }
    }

    @Test func `a head without an end is refused`() {
        var reader = HTTPResponseReader()
        let endless = "HTTP/1.1 200 OK\r\n" + String(repeating: "x", count: 100_000)
        #expect(throws: HTTPError.self) { try reader.received(Array(endless.utf8)) }
    }
}
