/// Why a token that the service has issued does not count, or no longer.
package enum TokenFault: Sendable, Equatable {
    case expired
    case revoked
    case keyDeleted
    /// Its access key was made anew, got another secret, or took back all that it had issued until then.
    case outlived
    /// Its access key gives no access to the instance.
    case key(AccessKeyObstacle)
}

/// Why an access key gives no access to an instance.
package enum AccessKeyObstacle: Sendable, Equatable {
    case disabled
    case ofAnotherAccount
}

extension AccessKey {
    /// `nil` when it gives access.
    package func obstacle(in instance: Instance) -> AccessKeyObstacle? {
        guard isEnabled else { return .disabled }
        return rights == .administrator || account == instance.account ? nil : .ofAnotherAccount
    }
}

extension ResourceDirectory {
    /// Why the token does not count; `nil` while it does.
    ///
    /// The same for whoever logs in with it, stays connected with it, or asks about it.
    ///
    /// - Parameter now: Unix milliseconds.
    package func fault(of token: Token, now: Int64) -> TokenFault? {
        if token.expiresAt <= now { return .expired }
        if isRevoked(token.instance, tokenID: token.id) { return .revoked }
        guard let key = accessKey(id: token.accessKeyID) else { return .keyDeleted }
        if token.issuedAt < key.tokensSince { return .outlived }
        guard let instance = instance(token.instance) else { return nil }
        return key.obstacle(in: instance).map { .key($0) }
    }
}
