internal import ApusBroker
internal import HTTPTypes

/// What operators and their tools ask: health, readiness, metrics.
struct OperationsService: Sendable {
    let service: ManagementService
    let access: RESTAccess
    let statistics: APIStatistics
    let isReady: @Sendable () -> Bool

    func respond(to request: APIRequest, requestID: String) async -> APIResponse {
        do throws(RESTError) {
            return try await answer(request)
        } catch { return error.response(requestID) }
    }

    private func answer(_ request: APIRequest) async throws(RESTError) -> APIResponse {
        guard ["/healthz", "/readyz", "/metrics"].contains(request.path) else {
            throw RESTError(
                .notFound,
                "NotFound",
                "nothing is at '\(excerpt(request.path, 128))'; there are / (RPC), \(RESTService.root), /healthz, /readyz "
                    + "and /metrics",
            )
        }
        guard request.method == .get || request.method == .head else {
            throw .methodNotAllowed(request, ["GET", "HEAD"])
        }
        switch request.path {
        case "/healthz": return APIResponse(.ok, text: "ok\n")
        case "/readyz":
            return isReady() ? APIResponse(.ok, text: "ready\n") : APIResponse(.serviceUnavailable, text: "not ready\n")
        default:
            if !request.peer.isLoopback, !service.configuration.metricsAreOpen { _ = try access.caller(of: request) }
            let samples = await service.broker.metrics().samples + statistics.samples
            let text = PrometheusText.text(samples)
            return APIResponse(.ok, text: text, type: PrometheusText.contentType)
        }
    }
}
