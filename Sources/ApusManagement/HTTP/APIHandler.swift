internal import HTTPTypes

/// Answers every request of the management port: which API it is for stands in its path.
struct APIHandler: Sendable {
    let service: ManagementService
    let rpc: RPCService
    let rest: RESTService
    let operations: OperationsService
    let statistics: APIStatistics

    /// - Parameter isReady: whether the broker takes connections.
    init(service: ManagementService, isReady: @escaping @Sendable () -> Bool) {
        self.service = service
        let signatures = SignatureCheck(directory: service.directory)
        statistics = APIStatistics()
        rpc = RPCService(service: service, signatures: signatures)
        let access = RESTAccess(service: service, signatures: signatures)
        rest = RESTService(service: service, access: access)
        operations = OperationsService(service: service, access: access, statistics: statistics, isReady: isReady)
    }

    /// The most bytes that the body of a request may have.
    func largestBody(of request: APIRequest) -> Int { RESTService.largestBody(path: request.path) }

    /// A request whose body has come as a whole.
    func respond(to request: APIRequest) async -> APIResponse {
        let requestID = RequestID.make()
        let begin = ContinuousClock.now
        var response: APIResponse
        if request.path.isEmpty || request.path == "/" {
            let outcome = await rpc.respond(to: request, requestID: requestID)
            response = outcome.response
            statistics.count(.rpc, outcome.action, outcome.code, ContinuousClock.now - begin)
        } else if RESTService.owns(path: request.path) {
            let outcome = await rest.respond(to: request, requestID: requestID)
            response = outcome.response
            statistics.count(.rest, outcome.operation, outcome.code, ContinuousClock.now - begin)
        } else {
            response = await operations.respond(to: request, requestID: requestID)
        }
        return Self.finished(response, requestID)
    }

    /// A request whose body is larger than it may be.
    func refuseLargeBody(of request: APIRequest) -> APIResponse {
        let requestID = RequestID.make()
        let message = "the body has more than \(largestBody(of: request)) bytes, which is the most"
        let response: APIResponse
        if RESTService.owns(path: request.path) {
            statistics.count(.rest, "unknown", "TooLarge", nil)
            response = RESTError(.contentTooLarge, "TooLarge", message).response(requestID)
        } else {
            statistics.count(.rpc, "unknown", "RequestEntityTooLarge", nil)
            response = RPCService.response(RPCError(413, "RequestEntityTooLarge", message), request, requestID)
        }
        return Self.finished(response, requestID)
    }

    /// A request for whose body there is no memory now.
    func refuseBodyWithoutRoom(of request: APIRequest) -> APIResponse {
        let requestID = RequestID.make()
        let message = "the bodies of other requests take all memory that there is for them; try again"
        let response: APIResponse
        if RESTService.owns(path: request.path) {
            var error = RESTError(.serviceUnavailable, "Busy", message)
            error.headers[.retryAfter] = "1"
            statistics.count(.rest, "unknown", error.code, nil)
            response = error.response(requestID)
        } else {
            statistics.count(.rpc, "unknown", "SystemOverFlow", nil)
            response = RPCService.response(.throttled("SystemOverFlow", message), request, requestID)
        }
        return Self.finished(response, requestID)
    }

    private static func finished(_ response: APIResponse, _ requestID: String) -> APIResponse {
        var response = response
        // Answers hold secrets, and no browser is to guess at types.
        response.headers[.cacheControl] = response.headers[.cacheControl] ?? "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        if let name = HTTPField.Name("x-acs-request-id") { response.headers[name] = requestID }
        return response
    }
}
