internal import ApusResources

/// Why a token was not issued.
enum TokenRefusal: Error, Equatable {
    enum Field { case actions, resources, expireTime, token }

    case invalid(Field, String)
    /// A resource under a parent topic that does not exist.
    case notPermitted(String)
    case failed(ResourceError)
}

/// Issues, looks into and revokes tokens (apsaramq-facts 2.4).
struct TokenDesk {
    static let mostResources = ResourceManager.maximumTokenResources
    /// Revocations of single tokens that an instance keeps.
    static let mostRevocations = 100_000

    /// Whether a token holds, and why not.
    struct Finding {
        var token: Token?
        /// Empty when it holds.
        var problem: String
    }

    let service: ManagementService
    let now: Int64

    /// - Parameters:
    ///   - actions: `R`, `W` or both, as `R,W`.
    ///   - expiresAt: Unix milliseconds; further than 30 days ahead is cut to them.
    func issue(
        _ actions: String,
        on resources: [String],
        until expiresAt: Int64,
        in instance: Instance,
        by caller: Caller,
    ) throws(TokenRefusal) -> String {
        let letters = actions.split(separator: ",", omittingEmptySubsequences: false)
        guard (1...2).contains(letters.count), Set(letters).count == letters.count,
            letters.allSatisfy({ $0 == "R" || $0 == "W" })
        else { throw .invalid(.actions, "it is '\(excerpt(actions))'; it must be 'R', 'W' or 'R,W'") }
        try check(resources, in: instance)
        do throws(ResourceError) {
            return try service.manager.issueToken(
                instance.number,
                accessKeyID: caller.key.id,
                mayRead: letters.contains("R"),
                mayWrite: letters.contains("W"),
                resources: resources,
                expiresAt: expiresAt,
            )
        } catch {
            switch error.kind {
            case .invalid(field: "ExpireTime"): throw .invalid(.expireTime, error.message)
            case .invalid: throw .invalid(.resources, error.message)
            default: throw .failed(error)
            }
        }
    }

    private func check(_ resources: [String], in instance: Instance) throws(TokenRefusal) {
        guard (1...Self.mostResources).contains(resources.count) else {
            throw .invalid(.resources, "there are \(resources.count) topics; 1 to \(Self.mostResources) are allowed")
        }
        let rule = TopicRule(directory: service.directory, instance: instance)
        for resource in resources {
            do throws(TopicRefusal) {
                try rule.check(filter: resource)
            } catch {
                switch error {
                case .malformed(let message): throw .invalid(.resources, message)
                case .unknownParent(let message): throw .notPermitted(message)
                }
            }
        }
    }

    /// Whether the token holds in the instance now.
    func find(_ text: String, in instance: Instance) -> Finding {
        guard let token = service.manager.seal.open(text), token.instance == instance.number else {
            return Finding(token: nil, problem: "it is no token of this instance")
        }
        return Finding(token: token, problem: Self.words(service.directory.fault(of: token, now: now)))
    }

    private static func words(_ fault: TokenFault?) -> String {
        switch fault {
        case nil: ""
        case .expired: "it has expired"
        case .revoked: "it was revoked"
        case .keyDeleted, .key(.disabled): "the access key that issued it is gone or disabled"
        case .key(.ofAnotherAccount): "the access key that issued it is of another account than the instance"
        case .outlived: "it is older than what the access key that issued it stands for now"
        }
    }

    /// The changes that take a token back, none when it has ended anyway; to be worked out where they are made.
    ///
    /// There is always room: beyond ``mostRevocations`` those of tokens that have ended go, and when that does not help,
    /// the token's access key takes back this token with all that it issued before.
    func revocation(of text: String, in instance: Instance) throws(TokenRefusal) -> [CatalogChange] {
        guard let token = service.manager.seal.open(text), token.instance == instance.number else {
            throw .invalid(.token, "it is no token of the instance '\(instance.id)'")
        }
        switch service.directory.fault(of: token, now: now) {
        case .expired, .revoked, .keyDeleted, .outlived: return []
        case .key, nil: break
        }
        let change = CatalogChange.putRevokedToken(
            RevokedToken(instance: instance.number, tokenID: token.id, expiresAt: token.expiresAt)
        )
        guard service.directory.revocations(of: instance.number) >= Self.mostRevocations else { return [change] }
        guard service.directory.revocations(of: instance.number, endingAt: now) >= Self.mostRevocations else {
            return [.forgetRevokedTokens(expiredBefore: now), change]
        }
        guard var key = service.directory.accessKey(id: token.accessKeyID) else { return [] }
        key.tokensSince = token.issuedAt + 1
        return [.putAccessKey(key)]
    }
}
