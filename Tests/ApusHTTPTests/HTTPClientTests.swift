import ApusCrypto
import ApusLoop
import Foundation
import Testing

@testable import ApusHTTP

private func ok(_ body: String, type: String = "application/json", more: String = "") -> String {
    "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\n\(more)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

private let twoWords = HTTPOutcome.answered(status: 200, contentType: "application/json", body: Array("{\"a\":1}".utf8))

extension HTTPClient {
    fileprivate func outcome(
        _ json: String = "{}",
        to target: String = "/judge?x=1",
        timeoutMilliseconds: Int = 20_000,
        maximumBytes: Int = 4096,
    ) async -> HTTPOutcome {
        await withCheckedContinuation { continuation in
            post(
                Array(json.utf8),
                to: target,
                timeoutMilliseconds: timeoutMilliseconds,
                maximumBytes: maximumBytes,
            ) { continuation.resume(returning: $0) }
        }
    }
}

private func client(_ server: ScriptedServer, tls: TLSContext? = nil, host: String = "127.0.0.1") -> HTTPClient {
    // No machine is so slow that a connection would be closed between two requests of a test.
    HTTPClient(HTTPServerAddress(host: host, port: server.port, tls: tls), idleSeconds: 3600)
}

@Suite("The HTTP client")
struct HTTPClientTests {
    @Test func `a document is posted, and the answer comes`() async throws {
        let server = try await ScriptedServer { _ in .answer(ok(#"{"a":1}"#)) }
        #expect(await client(server).outcome(#"{"q":"ü"}"#) == twoWords)
        let request = try #require(server.requests.first)
        #expect(request.hasPrefix("POST /judge?x=1 HTTP/1.1\r\n"))
        for field in ["Host: 127.0.0.1:\(server.port)", "Content-Type: application/json", "Content-Length: 10"] {
            #expect(request.contains("\r\n\(field)\r\n"), "\(request)")
        }
        #expect(request.hasSuffix(#"{"q":"ü"}"#))
        try await server.stop()
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"a\":1}",
        "HTTP/1.1 100 Continue\r\n\r\n" + ok(#"{"a":1}"#, more: "Connection: close\r\n"),
    ])
    func `answers of every form are read`(answer: String) async throws {
        let server = try await ScriptedServer { _ in .answerAndClose(answer) }
        #expect(await client(server).outcome() == twoWords)
        try await server.stop()
    }

    @Test func `other answers are answers too, and redirections are not followed`() async throws {
        let server = try await ScriptedServer { number in
            number == 0
                ? .answer("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
                : .answer("HTTP/1.1 204 No Content\r\n\r\n")
        }
        let client = client(server)
        #expect(await client.outcome() == .answered(status: 302, contentType: "", body: []))
        #expect(await client.outcome() == .answered(status: 204, contentType: "", body: []))
        #expect(server.requests.count == 2)
        try await server.stop()
    }

    @Test(arguments: [
        (ok(String(repeating: "x", count: 4097)), "the answer has more than 4096 bytes"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n" + String(repeating: "x", count: 4096)
                + "\r\n1\r\nx\r\n", "the answer has more than 4096 bytes"
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            "the server closed the connection before its answer was complete"
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"),
    ])
    func `what is no proper answer is a failure that says why`(answer: String, sentence: String) async throws {
        let server = try await ScriptedServer { _ in .answerAndClose(answer) }
        guard case .failed(let reason) = await client(server).outcome() else {
            Issue.record("took it")
            return
        }
        #expect(reason.contains(sentence), "\(reason)")
        try await server.stop()
    }

    @Test func `a server that does not answer is not waited for`() async throws {
        let server = try await ScriptedServer { _ in .silence }
        let client = client(server)
        #expect(await client.outcome(timeoutMilliseconds: 50) == .failed("no answer within 50 ms"))
        try await server.stop()
    }

    @Test func `a port at which nobody listens is told`() async throws {
        let server = try await ScriptedServer { _ in .silence }
        let client = client(server)
        try await server.stop()
        guard case .failed(let reason) = await client.outcome() else {
            Issue.record("answered")
            return
        }
        #expect(reason.hasSuffix("Connection refused"), "\(reason)")
    }

    @Test func `connections are used again, also by requests at the same time`() async throws {
        let server = try await ScriptedServer { _ in .answer(ok(#"{"a":1}"#)) }
        let client = client(server)
        for _ in 0..<20 { #expect(await client.outcome() == twoWords) }
        #expect(server.connections == 1)
        await withTaskGroup(of: HTTPOutcome.self) { group in
            for _ in 0..<50 { group.addTask { await client.outcome() } }
            for await outcome in group { #expect(outcome == twoWords) }
        }
        #expect(server.requests.count == 70)
        #expect(server.connections <= 51)
        try await server.stop()
    }

    @Test func `a used connection that the server has closed is replaced`() async throws {
        // Closes at the second request, as a server does whose patience ends when a request is under way.
        let server = try await ScriptedServer { $0 == 1 ? .close : .answer(ok(#"{"a":1}"#)) }
        let client = client(server)
        #expect(await client.outcome() == twoWords)
        #expect(await client.outcome() == twoWords)
        #expect(server.connections == 2)
        #expect(server.requests.count == 3)
        try await server.stop()
    }

    @Test func `a new connection is not tried twice`() async throws {
        let server = try await ScriptedServer { _ in .close }
        let sentence = "the server closed the connection before its answer was complete"
        #expect(await client(server).outcome() == .failed(sentence))
        #expect(server.requests.count == 1)
        try await server.stop()
    }
}

@Suite("The HTTP client with TLS")
final class HTTPClientTLSTests {
    private let folder: URL
    private let server: TLSContext

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "apus-http-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let now = Int64(Date().timeIntervalSince1970)
        for name in ["server", "other"] {
            let made = try SelfSignedCertificate(
                commonName: name,
                hostNames: ["localhost"],
                addresses: ["127.0.0.1"],
                validity: now - 3600..<now + 3600,
            )
            try Data(made.certificate.utf8).write(to: folder.appending(path: "\(name).pem"))
            try Data(made.key.utf8).write(to: folder.appending(path: "\(name).key"))
        }
        let identity = TLSIdentity(
            certificateFile: folder.appending(path: "server.pem").path,
            keyFile: folder.appending(path: "server.key").path,
        )
        server = try TLSContext(server: TLSServerConfiguration(identities: [identity]))
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func trust(_ name: String) throws -> TLSContext {
        try TLSContext(client: TLSClientConfiguration(authorityFile: folder.appending(path: "\(name).pem").path))
    }

    @Test(arguments: ["127.0.0.1", "localhost"], [1, 4000, 200_000])
    func `a server with a certificate of a trusted authority is asked`(host: String, count: Int) async throws {
        let body = "\"" + String(repeating: "x", count: count) + "\""
        let scripted = try await ScriptedServer(tls: server) { _ in .answer(ok(body)) }
        let client = client(scripted, tls: try trust("server"), host: host)
        let expected = HTTPOutcome.answered(status: 200, contentType: "application/json", body: Array(body.utf8))
        for _ in 0..<3 { #expect(await client.outcome(body, maximumBytes: 1 << 20) == expected) }
        #expect(scripted.connections == 1)
        #expect(scripted.requests.allSatisfy { $0.hasSuffix(body) })
        try await scripted.stop()
    }

    @Test func `nothing is sent to one whose certificate is of another authority`() async throws {
        let scripted = try await ScriptedServer(tls: server) { _ in .answer(ok("1")) }
        guard case .failed(let reason) = await client(scripted, tls: try trust("other")).outcome() else {
            Issue.record("trusted")
            return
        }
        #expect(reason.contains("the TLS handshake failed: certificate verify failed"), "\(reason)")
        #expect(scripted.requests.isEmpty)
        try await scripted.stop()
    }

    @Test func `nothing is sent to one whose certificate has another name`() async throws {
        let scripted = try await ScriptedServer(tls: server) { _ in .answer(ok("1")) }
        guard case .failed(let reason) = await client(scripted, tls: try trust("server"), host: "127.0.0.2").outcome()
        else {
            Issue.record("trusted")
            return
        }
        #expect(!reason.isEmpty)
        #expect(scripted.requests.isEmpty)
        try await scripted.stop()
    }

    @Test func `one that speaks no TLS, or breaks off in the handshake, is a failure`() async throws {
        let plain = try await ScriptedServer { _ in .answer(ok("1")) }
        let outcome = await client(plain, tls: try trust("server")).outcome(timeoutMilliseconds: 200)
        guard case .failed = outcome else {
            Issue.record("answered")
            return
        }
        let secure = try await ScriptedServer(tls: server) { _ in .answer(ok("1")) }
        guard case .failed = await client(secure).outcome() else {
            Issue.record("a server with TLS answered in the clear")
            return
        }
        try await plain.stop()
        try await secure.stop()
    }
}
