internal import ApusCrypto
internal import ApusLocks
package import ApusMessage

/// The one writer of the catalog: checks the rules, makes a change safe, then visible, then tells those who must act on it.
package final class ResourceManager: Sendable {
    /// Who changes something.
    package struct Actor: Sendable, Hashable {
        /// The access key id, or `local`.
        package var name: String
        /// The address of the caller; empty for `local`.
        package var source: String

        package init(name: String, source: String) {
            self.name = name
            self.source = source
        }

        /// What the process does itself.
        package static let local = Actor(name: "local", source: "")
    }

    package let directory: ResourceDirectory
    private let catalog: any Catalog
    private let clock: Clock
    private let observers = Guarded<[Observer]>([])
    /// Held while a change is made, so that each is checked against what the one before it has left.
    private let writing = Guarded(())

    // Structures of their own: a bare closure inside a generic type is wrapped once more by each look at it (Swift 6.3).
    private struct Observer: Sendable { let changed: @Sendable ([CatalogChange]) -> Void }
    private struct Clock: Sendable { let now: @Sendable () -> Int64 }

    private static let secretBytes = 32

    /// Loads the catalog; a new one gets the secret of its tokens.
    ///
    /// - Parameter clock: Unix milliseconds.
    package init(catalog: any Catalog, clock: @escaping @Sendable () -> Int64) throws(CatalogError) {
        self.catalog = catalog
        self.clock = Clock(now: clock)
        var contents = try catalog.load()
        if let secret = contents.serviceSecrets[TokenSeal.secretName] {
            // With a shorter one, tokens could be forged.
            guard secret.count == Self.secretBytes else { throw .unusable("the secret of the tokens is damaged") }
        } else {
            let secret: [UInt8]
            do { secret = try randomBytes(Self.secretBytes) } catch { throw .storage("\(error)") }
            _ = try catalog.commit([.putServiceSecret(name: TokenSeal.secretName, secret)], audit: nil)
            contents.serviceSecrets[TokenSeal.secretName] = secret
        }
        directory = ResourceDirectory(contents)
    }

    /// Unix milliseconds.
    package var now: Int64 { clock.now() }

    /// Told after each change, on the thread that made it, in the order of changes.
    ///
    /// An observer changes nothing itself: the next change waits until it has returned.
    package func observe(_ observer: @escaping @Sendable ([CatalogChange]) -> Void) {
        observers.withLock { $0.append(Observer(changed: observer)) }
    }

    /// Makes all changes or none of them; either way the audit log has an entry.
    ///
    /// For changes that are the same whatever the catalog holds; what depends on that is proposed (``change(by:action:_:)``).
    ///
    /// - Parameters:
    ///   - action: as in ``AuditEntry``.
    ///   - instance: an instance's id, or empty.
    ///   - detail: without secrets; the audit log keeps 4,096 characters, and none of control.
    /// - Returns: the changes as made: a new instance has its number.
    @discardableResult
    package func change(
        _ changes: [CatalogChange],
        by actor: Actor,
        action: String,
        instance: String,
        detail: String,
    ) throws(ResourceError) -> [CatalogChange] {
        var entry = entry(actor, action, instance, detail, outcome: "ok")
        let outcome = writing.withLock { _ in make(changes, &entry) }
        return try outcome.get()
    }

    /// Changes what depends on what the catalog holds: nobody changes anything between the look and the change.
    ///
    /// - Parameters:
    ///   - action: as in ``AuditEntry``.
    ///   - propose: looks at the directory; must not change anything itself, since that would wait for its own end.
    /// - Returns: the proposal's answer, or why its changes are refused, which the audit log then has.
    /// - Throws: what `propose` throws; nothing has changed, and the audit log has no entry.
    package func change<Answer: Sendable, Refusal: Error>(
        by actor: Actor,
        action: String,
        _ propose: () throws(Refusal) -> ChangeProposal<Answer>,
    ) throws(Refusal) -> Result<Answer, ResourceError> {
        try writing.withLock { (_) throws(Refusal) in
            let proposal = try propose()
            guard !proposal.changes.isEmpty else { return .success(proposal.answer) }
            var entry = entry(actor, action, proposal.instance, proposal.detail, outcome: "ok")
            return make(proposal.changes, &entry).map { _ in proposal.answer }
        }
    }

    private func make(_ changes: [CatalogChange], _ entry: inout AuditEntry) -> Result<[CatalogChange], ResourceError> {
        do throws(ResourceError) {
            try directory.inspect { (state) throws(ResourceError) in
                try ResourceState.rehearse(changes, in: state)
            }
        } catch {
            entry.outcome = error.code.legible(most: 128)
            // That it was refused is what the caller has to hear, even if nobody can write it down.
            _ = try? catalog.commit([], audit: entry)
            return .failure(error)
        }
        do {
            let made = try catalog.commit(changes, audit: entry)
            directory.apply(made)
            for observer in observers.withLock({ $0 }) { observer.changed(made) }
            return .success(made)
        } catch {
            return .failure(ResourceError(.storage, "\(error)"))
        }
    }

    /// Enters a call in the audit log that came to nothing before there was anything to change.
    ///
    /// - Parameter outcome: why, in one word.
    package func recordRefusal(
        by actor: Actor,
        action: String,
        instance: String,
        detail: String,
        outcome: String,
    ) throws(ResourceError) {
        let entry = entry(actor, action, instance, detail, outcome: outcome)
        do {
            _ = try catalog.commit([], audit: entry)
        } catch {
            throw ResourceError(.storage, "\(error)")
        }
    }

    /// An entry without what could hide others: control characters, and more text than anybody reads.
    private func entry(
        _ actor: Actor,
        _ action: String,
        _ instance: String,
        _ detail: String,
        outcome: String,
    ) -> AuditEntry {
        AuditEntry(
            time: clock.now(),
            actor: actor.name.legible(most: 128),
            source: actor.source.legible(most: 128),
            action: action.legible(most: 128),
            instance: instance.legible(most: 64),
            detail: detail.legible(most: 4_096),
            outcome: outcome.legible(most: 128),
        )
    }

    /// Entries of the audit log, as ``Catalog/audit(before:limit:instance:)`` gives them.
    package func audit(before: Int64?, limit: Int, instance: String?) throws(ResourceError) -> [AuditEntry] {
        do {
            return try catalog.audit(before: before, limit: limit, instance: instance)
        } catch {
            throw ResourceError(.storage, "\(error)")
        }
    }
}

extension ResourceManager {
    /// Makes the value of a new access key; `change` stores it.
    package func newAccessKey(account: String, rights: AccessKey.Rights) throws(ResourceError) -> AccessKey {
        AccessKey(
            id: "LTAI" + Hex.encode(try random(10)),
            secret: Hex.encode(try random(16)),
            account: account,
            rights: rights,
            createdAt: now,
        )
    }

    /// Makes the value of a device's credential, new or in place of its old one; the same `change` stores it.
    package func newDeviceCredential(
        _ instance: InstanceNumber,
        clientID: String,
    ) throws(ResourceError) -> DeviceCredential {
        let now = now
        return DeviceCredential(
            instance: instance,
            clientID: clientID,
            accessKeyID: "DC." + Hex.encode(try random(12)),
            accessKeySecret: "DC." + Hex.encode(try random(20)),
            createdAt: directory.deviceCredential(instance, clientID: clientID)?.createdAt ?? now,
            updatedAt: now,
        )
    }

    /// Longest life of a token, in milliseconds: 30 days (apsaramq-facts 2.4).
    package static let longestTokenLife: Int64 = 30 * 86_400_000
    /// Shortest life of a token, in milliseconds.
    package static let shortestTokenLife: Int64 = 60_000
    /// Topics and filters of one token.
    package static let maximumTokenResources = 100

    /// Issues a token; nothing is stored.
    ///
    /// - Parameter expiresAt: Unix milliseconds; beyond 30 days it works for 30 days.
    package func issueToken(
        _ instance: InstanceNumber,
        accessKeyID: String,
        mayRead: Bool,
        mayWrite: Bool,
        resources: [String],
        expiresAt: Int64,
    ) throws(ResourceError) -> String {
        guard mayRead || mayWrite else {
            throw ResourceError(.invalid(field: "Actions"), "Actions is `R`, `W` or `R,W`")
        }
        guard (1...Self.maximumTokenResources).contains(resources.count) else {
            throw ResourceError(
                .invalid(field: "Resources"),
                "Resources has 1 to \(Self.maximumTokenResources) topics; it has \(resources.count)",
            )
        }
        for resource in resources where !(1...256).contains(resource.utf8.count) {
            throw ResourceError(.invalid(field: "Resources"), "a topic of Resources has 1 to 256 bytes")
        }
        let now = now
        guard expiresAt >= now + Self.shortestTokenLife else {
            throw ResourceError(
                .invalid(field: "ExpireTime"),
                "ExpireTime \(expiresAt) is not at least 60 s ahead of now, \(now) (Unix milliseconds)",
            )
        }
        let token = Token(
            id: Hex.encode(try random(16)),
            instance: instance,
            accessKeyID: accessKeyID,
            mayRead: mayRead,
            mayWrite: mayWrite,
            resources: resources,
            // A clock that was set back must not issue what does not count.
            issuedAt: max(now, directory.accessKey(id: accessKeyID)?.tokensSince ?? now),
            expiresAt: min(expiresAt, now + Self.longestTokenLife),
        )
        return seal.seal(token)
    }

    /// The seal of this service's tokens.
    package var seal: TokenSeal {
        guard let secret = directory.serviceSecret(TokenSeal.secretName) else {
            preconditionFailure("the catalog was loaded without the secret of the tokens")
        }
        return TokenSeal(secret: secret)
    }

    private func random(_ count: Int) throws(ResourceError) -> [UInt8] {
        do {
            return try randomBytes(count)
        } catch {
            throw ResourceError(.storage, "\(error)")
        }
    }
}
