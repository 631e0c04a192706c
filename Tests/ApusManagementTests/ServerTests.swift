import ApusBroker
import ApusCrypto
import ApusLocks
import HTTPTypes
import NIOCore
import NIOPosix
import Testing

@testable import ApusManagement

@Suite("The server on its port")
struct ServerTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func server(_ configuration: ManagementConfiguration = ManagementConfiguration(port: 0)) -> ManagementServer
    {
        let fixture = fixture
        return ManagementServer(
            configuration: configuration,
            manager: fixture.manager,
            broker: fixture.broker,
            clock: { fixture.now },
        )
    }

    /// Others keep the threads of the pool for seconds, longer than the server waits for a client.
    private static let ownThread = OwnThread()

    /// Runs a server for as long as the body takes.
    private func withServer<Result: Sendable>(
        _ configuration: ManagementConfiguration = ManagementConfiguration(port: 0),
        _ body: @Sendable (Int) async throws -> Result,
    ) async throws -> Result {
        try await withTaskExecutorPreference(Self.ownThread) { try await withServerHere(configuration, body) }
    }

    private func withServerHere<Result: Sendable>(
        _ configuration: ManagementConfiguration,
        _ body: @Sendable (Int) async throws -> Result,
    ) async throws -> Result {
        let server = server(configuration)
        let (ports, announce) = AsyncStream<Int>.makeStream()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.run { _, port in announce.yield(port) }
                announce.finish()
            }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            let result = try await body(port)
            server.stop()
            try await group.waitForAll()
            return result
        }
    }

    /// Sends bytes and reads all that comes until the server closes.
    private static func exchange(_ bytes: [UInt8], port: Int) async throws -> String {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            // The server may have had enough before all of it is sent.
            try? await outbound.write(ByteBuffer(bytes: bytes))
            var answer: [UInt8] = []
            do {
                for try await buffer in inbound { answer += buffer.readableBytesView }
            } catch is IOError {
                // Reset behind the answer.
            }
            return String(decoding: answer, as: UTF8.self)
        }
    }

    private static func head(_ line: String, _ fields: [String] = []) -> [UInt8] {
        Array(([line, "Host: localhost", "Connection: close"] + fields + ["", ""]).joined(separator: "\r\n").utf8)
    }

    @Test func `it says which port it has, answers, and stops`() async throws {
        let answer = try await withServer { port in
            #expect(port > 0)
            return try await Self.exchange(Self.head("GET /healthz HTTP/1.1"), port: port)
        }
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.hasSuffix("\r\n\r\nok\n"))
        #expect(answer.contains("nosniff"))
    }

    @Test func `a signed action goes over the wire`() async throws {
        var request = fixture.request("ListGroupId", ["InstanceId": Fixture.first], style: .rpc)
        request.method = .post
        let head = Self.head("POST /?\(request.query) HTTP/1.1", ["Content-Length: 0"])
        let answer = try await withServer { try await Self.exchange(head, port: $0) }
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("GID_apus"))
    }

    @Test func `64 KiB of payload fit into a query, percent-encoded as they are`() async throws {
        let payload = String(repeating: "ä", count: 32_768)
        let request = fixture.request(
            "SendMessage",
            ["InstanceId": Fixture.first, "MqttTopic": "orders/a", "Payload": payload],
            style: .rpc,
        )
        #expect(request.query.utf8.count > 196_000)
        let head = Self.head("POST /?\(request.query) HTTP/1.1", ["Content-Length: 0"])
        let answer = try await withServer { try await Self.exchange(head, port: $0) }
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(fixture.broker.content.withLock { $0.published.first?.payload.count } == 65_536)
    }

    @Test(arguments: ["/", "/api/v1/accounts"])
    func `a body that is too large is refused, however it comes`(path: String) async throws {
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: 1_048_577)
        let plain = Self.head("POST \(path) HTTP/1.1", ["Content-Length: \(body.count)"]) + body
        let answer = try await withServer { try await Self.exchange(plain, port: $0) }
        #expect(answer.hasPrefix("HTTP/1.1 413 "))
        #expect(answer.contains("1048576"))
        let chunked =
            Self.head("POST \(path) HTTP/1.1", ["Transfer-Encoding: chunked"]) + Array("100001\r\n".utf8) + body
            + Array("\r\n0\r\n\r\n".utf8)
        let again = try await withServer { try await Self.exchange(chunked, port: $0) }
        #expect(again.hasPrefix("HTTP/1.1 413 "))
    }

    @Test func `a body for which there is no memory is refused, a small one is not`() async throws {
        var configuration = ManagementConfiguration(port: 0)
        configuration.bodyMemory = 1_000
        let large = [UInt8](repeating: UInt8(ascii: "x"), count: ManagementServer.uncountedOfBodies + 1_001)
        for (path, status) in [("/api/v1/accounts", "503"), ("/", "500")] {
            let head = Self.head("POST \(path) HTTP/1.1", ["Content-Length: \(large.count)"])
            let answer = try await withServer(configuration) { try await Self.exchange(head + large, port: $0) }
            #expect(answer.hasPrefix("HTTP/1.1 \(status) ") && answer.contains("memory"))
        }
        let small = Self.head("POST /api/v1/accounts HTTP/1.1", ["Content-Length: 65536"]) + large.prefix(65_536)
        // Twice: what the first took must be there again.
        for _ in 0..<2 {
            let answer = try await withServer(configuration) { try await Self.exchange(small, port: $0) }
            #expect(answer.hasPrefix("HTTP/1.1 401 "))
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a request that does not come to its end ends with its connection`()
        async throws
    {
        let head = Self.head("POST /api/v1/accounts HTTP/1.1", ["Content-Length: 10"])
        let answer = try await withServer(Self.impatient) { try await Self.exchange(head + [0x7B], port: $0) }
        #expect(answer.isEmpty)
    }

    @Test func `a head for which there is no memory is refused, and counted; a small one is not`() async throws {
        var configuration = ManagementConfiguration(port: 0)
        configuration.headMemory = 1_000
        // More than one read brings, as what comes with a head's end is not counted.
        let query = String(repeating: "x", count: ManagementServer.uncountedOfHeads + 200_000)
        let answers = try await withServer(configuration) { port in
            var answers: [String] = []
            // Twice: what the first took must be there again.
            for _ in 0..<2 {
                answers.append(try await Self.exchange(Self.head("GET /healthz?\(query) HTTP/1.1"), port: port))
                answers.append(
                    try await Self.exchange(Self.head("GET /healthz?\(query.prefix(16_000)) HTTP/1.1"), port: port)
                )
            }
            return answers + [try await Self.exchange(Self.head("GET /metrics HTTP/1.1"), port: port)]
        }
        for refused in [answers[0], answers[2]] {
            #expect(refused.hasPrefix("HTTP/1.1 503 ") && refused.contains("memory"))
        }
        for taken in [answers[1], answers[3]] { #expect(taken.hasPrefix("HTTP/1.1 200 ")) }
        #expect(answers[4].contains("\napus_api_connections_closed_total{reason=\"head_memory\"} 2\n"))
    }

    @Test func `trailers count as heads do, and nobody takes a refusal for an answer`() async throws {
        var configuration = ManagementConfiguration(port: 0)
        configuration.headMemory = 1_000
        let body = "1\r\n{\r\n0\r\nX-Long: " + String(repeating: "x", count: 200_000)
        let request = Self.head("POST /api/v1/accounts HTTP/1.1", ["Transfer-Encoding: chunked"]) + Array(body.utf8)
        let (answer, metrics) = try await withServer(configuration) { port in
            (
                try await Self.exchange(request, port: port),
                try await Self.exchange(Self.head("GET /metrics HTTP/1.1"), port: port)
            )
        }
        #expect(answer.isEmpty)
        #expect(metrics.contains("\napus_api_connections_closed_total{reason=\"head_memory\"} 1\n"))
    }

    /// Whichever of the two bounds is the closer one.
    @Test(.timeLimit(.minutes(1)), arguments: [(3_600, 1), (1, 3_600)])
    func `a head that does not come to its end ends with its connection, and is counted`(
        idleSeconds: Int,
        transferSeconds: Int,
    ) async throws {
        var configuration = ManagementConfiguration(port: 0)
        configuration.idleSeconds = idleSeconds
        configuration.transferSeconds = transferSeconds
        let (answer, metrics) = try await withServer(configuration) { port in
            let answer = try await Self.exchange(Array("GET /healthz HTTP/1.1\r\nHost:".utf8), port: port)
            // On a busy machine a second may be too short for this one, too.
            var metrics = ""
            while metrics.isEmpty { metrics = try await Self.exchange(Self.head("GET /metrics HTTP/1.1"), port: port) }
            return (answer, metrics)
        }
        #expect(answer.isEmpty)
        #expect(metrics.contains(/apus_api_connections_closed_total{reason="slow_request"} [1-9]/))
    }

    @Test(.timeLimit(.minutes(1))) func `who takes no answers does not keep the server from ending`() async throws {
        let many = Array("GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        let client = try await withServer(Self.impatient) { port in
            let client = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelOption(.autoRead, value: false)
                .connect(host: "127.0.0.1", port: port).get()
            // More than all buffers between the two take.
            for _ in 0..<1_000 { try await client.writeAndFlush(ByteBuffer(bytes: many)) }
            return client
        }
        try? await client.close()
    }

    @Test(.timeLimit(.minutes(1))) func `one address does not take all connections`() async throws {
        var configuration = ManagementConfiguration(port: 0)
        configuration.connectionsPerAddress = 2
        let request = Self.head("GET /healthz HTTP/1.1")
        let (tooMany, later) = try await withServer(configuration) { port in
            var silent: [any Channel] = []
            for _ in 0..<2 {
                let client = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                silent.append(try await client.connect(host: "127.0.0.1", port: port).get())
            }
            let tooMany = try await Self.exchange(request, port: port)
            for client in silent { try await client.close() }
            // The server learns of it when it comes to it.
            var later = ""
            while later.isEmpty { later = try await Self.exchange(request, port: port) }
            return (tooMany, later)
        }
        #expect(tooMany.isEmpty)
        #expect(later.hasPrefix("HTTP/1.1 200 OK\r\n"))
    }

    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("::1", "::1"), ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"), ("2001:db8::6", "2001:db8"),
    ])
    func `addresses of one IPv6 network count as one`(address: String, name: String) throws {
        #expect(AddressShares.name(of: try SocketAddress(ipAddress: address, port: 1)) == name)
    }

    /// Waits long for those who are silent, and not for those who are slow.
    private static let impatient = {
        var configuration = ManagementConfiguration(port: 0)
        configuration.idleSeconds = 3_600
        configuration.transferSeconds = 1
        return configuration
    }()

    @Test func `a head that is too large is refused`() async throws {
        let query = String(repeating: "x", count: 700_000)
        let head = Self.head("POST /?\(query) HTTP/1.1", ["Content-Length: 0"])
        let answer = try await withServer { try await Self.exchange(head, port: $0) }
        // The answer may be lost in the reset of a connection whose sender was not through.
        #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 400 "))
    }

    @Test func `what is no HTTP is refused`() async throws {
        let bytes = [0x10, 0x0C, 0x00, 0x04] + Array("MQTT\r\n\r\n".utf8)
        let (answer, metrics) = try await withServer { port in
            (
                try await Self.exchange(bytes, port: port),
                try await Self.exchange(Self.head("GET /metrics HTTP/1.1"), port: port)
            )
        }
        #expect(answer.hasPrefix("HTTP/1.1 400 "))
        #expect(metrics.contains("apus_api_connections_closed_total") && !metrics.contains("\"slow_request\"} 1"))
    }

    @Test func `requests on one connection are answered in order`() async throws {
        let first = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let bytes = Array(first.utf8) + Self.head("GET /readyz HTTP/1.1")
        let answer = try await withServer { try await Self.exchange(bytes, port: $0) }
        let ok = try #require(answer.firstRange(of: "ok\n"))
        let ready = try #require(answer.firstRange(of: "ready\n"))
        #expect(ok.lowerBound < ready.lowerBound)
    }

    @Test func `HEAD has no body`() async throws {
        let answer = try await withServer { try await Self.exchange(Self.head("HEAD /healthz HTTP/1.1"), port: $0) }
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n"))
    }

    @Test func `a port in use is an error that names it`() async throws {
        let fixture = fixture
        try await withServer { port in
            let second = ManagementServer(
                configuration: ManagementConfiguration(port: port),
                manager: fixture.manager,
                broker: fixture.broker,
                clock: { 0 },
            )
            let error = await #expect(throws: ManagementError.self) { try await second.run { _, _ in } }
            #expect(error?.description.contains("127.0.0.1:\(port)") == true)
        }
    }

    @Test func `stopped before it runs, it does not run`() async throws {
        let server = server()
        server.stop()
        try await server.run { _, _ in Issue.record("it listens") }
    }

    @Test func `it ends when its task is cancelled`() async throws {
        let server = server()
        let (ports, announce) = AsyncStream<Int>.makeStream()
        let task = Task { try await server.run { _, port in announce.yield(port) } }
        var iterator = ports.makeAsyncIterator()
        _ = await iterator.next()
        task.cancel()
        _ = await task.result
    }
}
