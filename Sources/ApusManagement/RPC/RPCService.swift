internal import ApusResources
internal import HTTPTypes

/// The vendor's RPC API: one path, two signature styles, two versions (apsaramq-facts 4, 5).
struct RPCService: Sendable {
    /// What became of a call, for the metrics: names that stand in the action table only.
    struct Outcome {
        var response: APIResponse
        var action: String
        var code: String
    }

    let service: ManagementService
    let signatures: SignatureCheck
    private let throttle = ActionThrottle()

    init(service: ManagementService, signatures: SignatureCheck) {
        self.service = service
        self.signatures = signatures
    }

    func respond(to request: APIRequest, requestID: String) async -> Outcome {
        var name = "unknown"
        do {
            let result = try await perform(request, &name)
            let answer = JSONValue.object([.init(name: "RequestId", value: .string(requestID))]).adding(result)
            return Outcome(response: APIResponse(.ok, json: answer), action: name, code: "OK")
        } catch {
            return Outcome(response: Self.response(error, request, requestID), action: name, code: error.code)
        }
    }

    /// A refusal that did not come as far as an action, such as a body that is too large.
    static func response(_ error: RPCError, _ request: APIRequest, _ requestID: String) -> APIResponse {
        var response = APIResponse(
            HTTPResponse.Status(code: error.status),
            json: [
                "RequestId": .string(requestID), "HostId": .string(String(request.host.prefix(255))),
                "Code": .string(error.code), "Message": .string(error.message),
            ],
        )
        if error.isThrottling, let name = HTTPField.Name("x-acs-retry-after") { response.headers[name] = "1" }
        return response
    }

    private func perform(_ request: APIRequest, _ name: inout String) async throws(RPCError) -> JSONValue {
        guard request.method == .get || request.method == .post else {
            throw RPCError(405, "UnsupportedHTTPMethod", "the method is \(request.method); actions take GET and POST")
        }
        let now = service.clock()
        let (signed, parameters) = try Self.read(request)
        let key: AccessKey
        do {
            key = try signatures.key(of: signed, from: request.peer.address, now: now)
        } catch { throw RPCError(error) }
        let caller = Caller(key: key, address: request.peer.address)
        let action = try Self.action(of: request, parameters, signed.style)
        name = action.name
        guard
            !service.configuration.isThrottled
                || throttle.take(action.name, account: key.account, rate: action.rate, now: now)
        else {
            throw .throttled(
                action.throttleCode,
                "the account '\(key.account)' may call \(action.name) \(action.rate) times a second; slow down",
            )
        }
        let reader = ParameterReader(parameters, family: action.family)
        let call = RPCCall(action: action, caller: caller, parameters: reader, service: service, now: now)
        do throws(RPCError) {
            return try await Self.perform(call)
        } catch {
            if action.isAudited, !error.isRecorded { call.recordRefusal(error) }
            throw error
        }
    }

    private static func perform(_ call: RPCCall) async throws(RPCError) -> JSONValue {
        let action = call.action
        let key = call.caller.key
        guard call.caller.has(action.rights) else {
            throw RPCError(
                400,
                action.permissionCode,
                "\(action.name) needs a key with the right '\(action.rights.rawValue)'; "
                    + "'\(key.id)' has '\(key.rights.rawValue)'",
            )
        }
        try refuseUnknown(call.parameters.values, action)
        switch action.body {
        case .ofAccount(let perform): return try await perform(call)
        case .ofInstance(let parameter, let perform):
            return try await perform(call, try call.instance(named: parameter))
        }
    }

    private static func read(_ request: APIRequest) throws(RPCError) -> (SignedText, FormParameters) {
        var query = FormParameters()
        var parameters = FormParameters()
        do {
            try query.add(request.query)
            parameters = query
            if !request.body.isEmpty {
                guard request.mediaType == "application/x-www-form-urlencoded" else {
                    throw RPCError(
                        415,
                        "UnsupportedMediaType",
                        "the body is of type '\(excerpt((request.mediaType ?? "")))'; "
                            + "it must be application/x-www-form-urlencoded",
                    )
                }
                guard let text = String(validating: request.body, as: UTF8.self) else {
                    throw FormError.malformed("body")
                }
                try parameters.add(text)
            }
        } catch let error as RPCError {
            throw error
        } catch let error as FormError {
            throw RPCError(error)
        } catch {
            throw RPCError(500, "InternalError", "the request could not be read")
        }
        do throws(SignatureError) {
            if request.headers[.authorization]?.hasPrefix(ACS3Signature.algorithm) == true {
                return (try ACS3Signature.read(request, query: query, isAction: true), parameters)
            }
            if parameters["Signature"] != nil || parameters["AccessKeyId"] != nil {
                return (try RPCSignature.read(request.method, parameters), parameters)
            }
            throw SignatureError(
                .missing,
                "the request is not signed; it needs an Authorization header of \(ACS3Signature.algorithm), "
                    + "or the parameters of RPC signature 1.0 (AccessKeyId, Signature, …)",
            )
        } catch { throw RPCError(error) }
    }

    private static func action(
        of request: APIRequest,
        _ parameters: FormParameters,
        _ style: SignedText.Style,
    ) throws(RPCError) -> RPCAction {
        // Only what is signed counts.
        let name = style == .acs3 ? request.header("x-acs-action") : parameters["Action"]
        let text = style == .acs3 ? request.header("x-acs-version") : parameters["Version"]
        let (place, versionPlace) = style == .acs3 ? ("x-acs-action", "x-acs-version") : ("Action", "Version")
        if let format = parameters["Format"], !format.isEmpty, format.lowercased() != "json" {
            throw RPCError(400, "InvalidParameter.Format", "Format is '\(excerpt(format))'; answers are JSON only")
        }
        guard let name, !name.isEmpty else {
            throw RPCError(400, "MissingParameter", "\(place) is missing; it names the action, as ListInstances")
        }
        guard let version = text.flatMap(RPCAction.Version.init) else {
            throw RPCError(
                400,
                "InvalidVersion",
                "\(versionPlace) is '\(excerpt((text ?? "")))'; the versions are 2020-04-20 and 2019-12-11",
            )
        }
        guard let action = ActionTable.action(name, version) else {
            let other = RPCAction.Version.allCases.first { ActionTable.action(name, $0) != nil }
            let hint =
                other.map { "version \($0.rawValue) has it" }
                ?? "the action's name is wrong, or newer than this service"
            throw RPCError(
                404,
                "ApiNotSupport",
                "there is no action '\(excerpt(name))' in version \(version.rawValue); \(hint)",
            )
        }
        return action
    }

    private static func refuseUnknown(_ parameters: FormParameters, _ action: RPCAction) throws(RPCError) {
        for (name, _) in parameters.sorted
        where !RPCSignature.parameterNames.contains(name) && !action.takes(name) {
            let list = action.allParameters.isEmpty ? "none" : action.allParameters.joined(separator: ", ")
            throw RPCError(
                400,
                "InvalidParameter.\(excerpt(name))",
                "\(action.name) has no parameter '\(excerpt(name))'; it takes \(list)",
            )
        }
    }
}

extension RPCCall {
    /// The instance that the parameter names, if it is of those that the caller's key is for.
    func instance(named parameter: String) throws(RPCError) -> Instance {
        let id = try parameters.text(parameter, most: 64)
        guard let instance = directory.instance(id: id) else {
            // Who may not see all instances is not told which there are.
            throw caller.isAdministrator
                ? RPCError(
                    400,
                    action.unknownInstanceCode,
                    "there is no instance '\(excerpt(id))'; ListInstances names those there are"
                )
                : foreign(id)
        }
        guard caller.owns(instance) else { throw foreign(id) }
        return instance
    }

    private func foreign(_ id: String) -> RPCError {
        RPCError(
            400,
            "InstancePermissionCheckFailed",
            "the account '\(caller.key.account)' has no instance '\(excerpt(id))'; ListInstances names those it has",
        )
    }
}
