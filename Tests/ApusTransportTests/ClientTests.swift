import ApusLoop
import Testing

@testable import ApusTransport

@Suite("The client of the tools")
struct ClientTests {
    typealias Kind = ListenerConfiguration.Kind
    typealias Address = ListenerConfiguration.Address

    @Test(
        arguments: [
            ("mqtt://broker", .tcp, .internet(host: "broker", port: 1883), ""),
            ("mqtts://broker:1", .tls, .internet(host: "broker", port: 1), ""),
            ("MQTT://[::1]:99/", .tcp, .internet(host: "::1", port: 99), "/"),
            ("ws://[::1]", .webSocket, .internet(host: "::1", port: 80), "/mqtt"),
            ("wss://broker/a/b?c", .secureWebSocket, .internet(host: "broker", port: 443), "/a/b?c"),
            ("unix:/run/apus.sock", .tcp, .unix(path: "/run/apus.sock"), ""),
        ] as [(String, Kind, Address, String)]
    )
    func `URLs are read`(text: String, kind: Kind, address: Address, path: String) throws {
        let endpoint = try ClientEndpoint(text)
        #expect(endpoint.kind == kind)
        #expect(endpoint.address == address)
        if kind.isWebSocket { #expect(endpoint.path == path) }
    }

    @Test(arguments: [
        "", "broker", "http://broker", "mqtt://", "mqtt://:1883", "mqtt://broker:0", "mqtt://broker:70000",
        "mqtt://broker:x", "mqtt://::1", "mqtt://[::1", "mqtt://user@broker", "mqtt://broker/path", "unix:",
    ])
    func `what is no URL of a broker is refused with its text`(text: String) {
        do {
            _ = try ClientEndpoint(text)
            Issue.record("accepted")
        } catch {
            #expect(error.description.hasPrefix("\(text): "))
        }
    }

    @Test
    func `a port where nobody listens is an error that asks for the broker`() throws {
        let server = try TestServer()
        server.stop()
        do {
            _ = try ClientConnection(ClientEndpoint(server.endpoints[0].url))
            Issue.record("connected")
        } catch {
            #expect(error.description.contains("ECONNREFUSED"))
            #expect(error.description.contains("is a broker listening"))
        }
    }

    @Test
    func `a server that does not answer is left after the timeout`() throws {
        // Its backlog takes the connection, nobody ever accepts.
        let listener = try Listener(.ipv4(0x7F00_0001, port: 0))
        for scheme in ["mqtts", "ws", "wss"] {
            #expect(throws: ClientError.self) {
                try ClientConnection(
                    ClientEndpoint("\(scheme)://127.0.0.1:\(listener.address.port)"),
                    tls: TLSClientConfiguration(isInsecure: true),
                    timeout: .milliseconds(50),
                )
            }
        }
    }

    @Test
    func `waits end by time, by another thread and by input`() throws {
        let server = try TestServer()
        let client = try ClientConnection(ClientEndpoint(server.endpoints[0].url))
        #expect(try client.receive(timeout: .zero) == .timedOut)
        #expect(try client.receive(timeout: .milliseconds(5)) == .timedOut)
        let wakeUp = client.wakeUp
        let thread = try NativeThread(name: "waker") { wakeUp.signal() }
        #expect(try client.receive(timeout: .seconds(10)) == .woken)
        thread.join()

        let input = try Socket.pair()
        #expect(client.watch(input.first.number))
        Socket.shutdownWriting(input.second.number)
        #expect(try client.receive(timeout: .seconds(10)) == .inputReady)
        client.stopWatching(input.first.number)
        #expect(try client.receive(timeout: .milliseconds(5)) == .timedOut)
        server.stop()
        #expect(try client.receive(timeout: .seconds(10)) == .closed)
    }

    @Test
    func `a plain HTTP port and a wrong certificate are named`() throws {
        let secure = try SetUp(.tls, shards: 1)
        #expect(throws: ClientError.self) { try ClientConnection(ClientEndpoint(secure.server.endpoints[0].url)) }
        let plain = try TestServer()
        #expect(throws: ClientError.self) {
            try ClientConnection(ClientEndpoint("ws://127.0.0.1:\(plain.port)"), timeout: .seconds(2))
        }
    }
}
