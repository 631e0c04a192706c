internal import ApusCrypto
internal import ApusResources
internal import HTTPTypes

/// Who calls the REST API: by HTTP Basic with access key id and secret where these do not leave the machine in clear, or by an
/// ACS3 signature.
struct RESTAccess: Sendable {
    let service: ManagementService
    let signatures: SignatureCheck

    func caller(of request: APIRequest) throws(RESTError) -> Caller {
        let now = service.clock()
        guard let header = request.headers[.authorization] else {
            throw Self.unauthorized("the request names no access key; use HTTP Basic or \(ACS3Signature.algorithm)")
        }
        let key: AccessKey
        if header.hasPrefix(ACS3Signature.algorithm) {
            key = try signed(request, now)
        } else if let credentials = BasicCredentials(header) {
            guard request.peer.isLoopback || request.peer.isSecure else {
                throw Self.unauthorized(
                    "HTTP Basic without TLS shows the secret to everybody on the way, so it works on this machine only; "
                        + "use https, or sign with \(ACS3Signature.algorithm)",
                )
            }
            key = try proven(credentials, request, now)
        } else {
            throw Self.unauthorized("the Authorization header is neither HTTP Basic nor \(ACS3Signature.algorithm)")
        }
        return Caller(key: key, address: request.peer.address)
    }

    private func proven(
        _ credentials: BasicCredentials,
        _ request: APIRequest,
        _ now: Int64,
    ) throws(RESTError) -> AccessKey {
        let key = service.directory.accessKey(id: credentials.keyID)
        let pause = signatures.guesses.pause(for: request.peer.address, keyID: credentials.keyID, now: now)
        guard pause == 0 else { throw Self.slowed((pause + 999) / 1_000) }
        // A hash on both sides, so that the time says nothing about the length either; also without a key to compare.
        let isRight = constantTimeEqual(
            Digest.sha256(Array(credentials.secret.utf8)),
            Digest.sha256(Array((key?.secret ?? "").utf8))
        )
        guard let key, isRight else {
            // Of keys that do not exist nothing can be guessed. That they do not is no secret: the vendor's API says it.
            if let key { signatures.guesses.recordFailure(of: request.peer.address, keyID: key.id, now: now) }
            throw Self.unauthorized("the access key id or its secret is wrong")
        }
        guard key.isEnabled else {
            throw Self.unauthorized("the access key '\(key.id)' is disabled; an administrator can enable it")
        }
        return key
    }

    private func signed(_ request: APIRequest, _ now: Int64) throws(RESTError) -> AccessKey {
        var query = FormParameters()
        do throws(FormError) {
            try query.add(request.query)
        } catch { throw RESTError(error) }
        do throws(SignatureError) {
            let text = try ACS3Signature.read(request, query: query, isAction: false)
            return try signatures.key(of: text, from: request.peer.address, now: now)
        } catch {
            if case .slowed(let seconds) = error.kind { throw Self.slowed(seconds) }
            throw Self.unauthorized(error.message)
        }
    }

    private static func slowed(_ seconds: Int64) -> RESTError {
        var error = RESTError(.tooManyRequests, "Throttled", GuessTable.message(seconds))
        error.headers[.retryAfter] = "\(seconds)"
        return error
    }

    private static func unauthorized(_ message: String) -> RESTError {
        var error = RESTError(.unauthorized, "Unauthorized", message)
        error.headers[.wwwAuthenticate] = "Basic realm=\"apus\", charset=\"UTF-8\""
        return error
    }
}
