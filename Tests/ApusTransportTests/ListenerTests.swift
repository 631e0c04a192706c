import ApusBroker
import ApusLoop
import Testing

@testable import ApusTransport

@Suite("Binding listeners")
struct ListenerTests {
    private func failure(_ listener: ListenerConfiguration, shards: Int = 2) -> TransportError? {
        do {
            _ = try TestServer([listener], shards: shards)
            return nil
        } catch {
            return error as? TransportError
        }
    }

    @Test(arguments: [1, 2], [1, 2])
    func `a port in use is named, with what to do, even when the other shares it`(own: Int, other: Int) throws {
        let server = try TestServer([.local(.tcp)], shards: other)
        var listener = ListenerConfiguration.local(.webSocket, name: "second")
        listener.address = .internet(host: "127.0.0.1", port: server.port)
        let problem = try #require(failure(listener, shards: own))
        #expect(problem.listener == "second")
        #expect(problem.description.hasPrefix("listener second (ws://127.0.0.1:\(server.port)): bind"))
        #expect(problem.description.contains("Address already in use (EADDRINUSE)"))
        #expect(problem.advice.contains("is another process listening?"))
    }

    @Test
    func `an address of another machine, a folder that is not there, a file in the way`() throws {
        var listener = ListenerConfiguration.local(.tcp, host: "192.0.2.1")
        #expect(try #require(failure(listener)).problem.contains("EADDRNOTAVAIL"))
        listener.address = .unix(path: "/nowhere/apus.sock")
        #expect(try #require(failure(listener)).advice.contains("does not exist"))
        let authority = try TestAuthority.shared.get()
        listener.address = .unix(path: authority.certificate)
        #expect(try #require(failure(listener)).advice.contains("no socket"))
    }

    @Test
    func `a secure listener needs a certificate that can be read`() throws {
        var listener = ListenerConfiguration.local(.tls)
        #expect(try #require(failure(listener)).problem == "no certificate")
        listener.tls = TLSServerConfiguration(
            identities: [TLSIdentity(certificateFile: "/nowhere.pem", keyFile: "/nowhere.key")],
        )
        #expect(try #require(failure(listener)).problem.contains("/nowhere.pem"))
    }

    @Test
    func `nothing listens when one listener fails`() throws {
        let server = try TestServer()
        let folder = try TestAuthority.makeFolder()
        defer { TestAuthority.remove(folder) }
        let first = ListenerConfiguration(name: "first", kind: .tcp, address: .unix(path: "\(folder)/s"))
        var second = ListenerConfiguration.local(.tcp, name: "second")
        second.address = .internet(host: "127.0.0.1", port: server.port)
        #expect(throws: TransportError.self) { try TestServer([first, second]) }
        #expect(throws: ClientError.self) { try ClientConnection(ClientEndpoint("unix:\(folder)/s")) }
    }

    @Test(
        arguments: [
            (.internet(host: "::1", port: 1883), .tcp, "mqtt://[::1]:1883"),
            (.internet(host: "0.0.0.0", port: 443), .secureWebSocket, "wss://0.0.0.0:443"),
            (.unix(path: "/run/apus.sock"), .tcp, "unix:/run/apus.sock"),
        ] as [(ListenerConfiguration.Address, ListenerConfiguration.Kind, String)]
    )
    func `an endpoint is shown as a URL`(
        address: ListenerConfiguration.Address,
        kind: ListenerConfiguration.Kind,
        url: String,
    ) {
        #expect(ListenerConfiguration(name: "x", kind: kind, address: address).endpoint == url)
    }
}
