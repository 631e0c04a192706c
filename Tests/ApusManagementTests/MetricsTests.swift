import HTTPTypes
import Testing

@testable import ApusManagement

@Suite("Health and metrics")
struct MetricsTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func get(_ path: String, isLoopback: Bool = true) async -> APIResponse {
        let peer = APIRequest.Peer(address: "192.0.2.1:1", isLoopback: isLoopback)
        return await fixture.handler.respond(to: APIRequest(method: .get, target: path, peer: peer))
    }

    @Test func `health and readiness are for everybody`() async {
        #expect(await get("/healthz", isLoopback: false).status == .ok)
        #expect(await get("/readyz", isLoopback: false).status == .ok)
        let starting = APIHandler(service: fixture.handler.service) { false }
        let answer = await starting.respond(to: APIRequest(method: .get, target: "/readyz"))
        #expect(answer.status == .serviceUnavailable)
        #expect(
            await fixture.handler.respond(to: APIRequest(method: .post, target: "/healthz")).status == .methodNotAllowed
        )
    }

    @Test func `metrics are for this machine, or for who has a key, unless they are open`() async throws {
        #expect(await get("/metrics").status == .ok)
        #expect(await get("/metrics", isLoopback: false).status == .unauthorized)
        let open = try Fixture { $0.metricsAreOpen = true }
        let peer = APIRequest.Peer(address: "192.0.2.1:1", isLoopback: false)
        let answer = await open.handler.respond(to: APIRequest(method: .get, target: "/metrics", peer: peer))
        #expect(answer.status == .ok)
        #expect(answer.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
    }

    @Test func `the text has the broker's numbers and the API's own`() async {
        _ = await fixture.call("ListInstances")
        _ = await fixture.call("ListInstances")
        _ = await fixture.call("ListGroupId")
        _ = await fixture.call("NoSuch\"Action")
        _ = await fixture.rest(.get, "/instances")
        let text = String(decoding: await get("/metrics").body, as: UTF8.self)
        let lines = text.split(separator: "\n").map(String.init)
        for line in [
            "# HELP apus_connections Live connections.", "# TYPE apus_connections gauge", "apus_connections 3",
            #"apus_messages_dropped_total{reason="queue_full"} 1"#,
            #"apus_messages_dropped_total{reason="a \"b\"\\"} 0.5"#,
            #"apus_api_requests_total{api="rpc",operation="ListInstances",code="OK"} 2"#,
            #"apus_api_requests_total{api="rpc",operation="ListGroupId",code="ParameterFieldCheckFailed"} 1"#,
            #"apus_api_requests_total{api="rpc",operation="unknown",code="ApiNotSupport"} 1"#,
            #"apus_api_requests_total{api="rest",operation="listInstances",code="OK"} 1"#,
            "# TYPE apus_api_request_duration_seconds histogram",
            #"apus_api_request_duration_seconds_bucket{api="rpc",le="+Inf"} 4"#,
            #"apus_api_request_duration_seconds_count{api="rest"} 1"#,
        ] {
            #expect(lines.contains(line), "missing: \(line)\n\(text)")
        }
        #expect(lines.filter { $0 == "# TYPE apus_messages_dropped_total counter" }.count == 1)
        #expect(!text.contains("NoSuch"))
    }
}
