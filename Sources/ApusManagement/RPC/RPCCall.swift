internal import ApusBroker
internal import ApusMessage
internal import ApusResources

/// A call of an action by a caller who has the right to it.
struct RPCCall: Sendable {
    /// Parameters whose values are secrets or too long for the audit log.
    private static let unspoken: Set<String> = [
        "Secret", "Token", "SniConfig", "Payload", "CaContent", "VerificationContent",
    ]

    let action: RPCAction
    let caller: Caller
    let parameters: ParameterReader
    let service: ManagementService
    /// Unix milliseconds.
    let now: Int64

    var directory: ResourceDirectory { service.manager.directory }
    var broker: any BrokerControl { service.broker }

    /// Makes the changes, with an entry in the audit log.
    @discardableResult
    func change(_ changes: [CatalogChange], in instance: String) throws(RPCError) -> [CatalogChange] {
        do {
            return try service.manager.change(
                changes,
                by: caller.actor,
                action: action.name,
                instance: instance,
                detail: detail,
            )
        } catch { throw recorded(error) }
    }

    /// Changes what depends on what the catalog holds: nobody changes anything between the look and the change.
    ///
    /// - Parameter propose: looks at the directory, and changes nothing itself.
    func change(
        in instance: String,
        _ propose: () throws(RPCError) -> [CatalogChange],
    ) throws(RPCError) {
        let outcome = try service.manager.change(by: caller.actor, action: action.name) { () throws(RPCError) in
            ChangeProposal(try propose(), in: instance, detail)
        }
        do {
            try outcome.get()
        } catch { throw recorded(error) }
    }

    /// A refusal that the audit log has.
    private func recorded(_ error: ResourceError) -> RPCError {
        var refusal = refusal(error)
        refusal.isRecorded = true
        return refusal
    }

    /// Enters a call in the audit log that has changed something else than the catalog.
    func record(in instance: String) throws(RPCError) { try change([], in: instance) }

    /// Enters a refused call in the audit log; if that fails, the refusal is still what the caller must hear.
    ///
    /// Under the instance only if it is of the caller's: what others see of theirs is not for strangers to fill.
    func recordRefusal(_ error: RPCError) {
        let id = action.instanceParameter.flatMap { parameters.value($0) } ?? ""
        let isOwn = directory.instance(id: id).map(caller.owns) ?? false
        try? service.manager.recordRefusal(
            by: caller.actor,
            action: action.name,
            instance: isOwn ? id : "",
            detail: isOwn || id.isEmpty ? detail : "instance=\(excerpt(id)) \(detail)",
            outcome: error.code,
        )
    }

    /// The action's parameters for the audit log, without secrets, by name.
    ///
    /// Without others too: a secret under a misspelt name is a secret.
    var detail: String {
        parameters.values.sorted
            .filter { pair in
                pair.name != action.instanceParameter && action.takes(pair.name)
                    && !Self.unspoken.contains(pair.name.split(separator: ".").last.map(String.init) ?? "")
            }
            .prefix(20)
            .map { "\(excerpt($0.name))=\(excerpt($0.value, 128))" }
            .joined(separator: " ")
    }

    /// A refusal by the rules of resources, with the code of this action.
    func refusal(_ error: ResourceError) -> RPCError {
        switch error.kind {
        case .storage: return RPCError(500, internalCode, error.message)
        case .overLimit(.customAuthEntries): return RPCError(400, "Customauth.over.capacity", error.message)
        case .exists where action.name == "CreateGroupId": return RPCError(400, "GroupIdAlreadyExsited", error.message)
        case .invalid(let field): return action.family.refusal(of: parameter(for: field), error.message)
        case .exists, .notFound, .overLimit, .inUse:
            return action.family.refusal(of: action.parameters.first ?? "Parameter", error.message)
        }
    }

    private var internalCode: String {
        ["CreateGroupId", "DeleteGroupId"].contains(action.name) ? "\(action.name)Error" : "InternalError"
    }

    /// The parameter that a field of a resource came in.
    private func parameter(for field: String) -> String {
        let last = field.split(separator: ".").last.map { $0.lowercased() } ?? ""
        return action.allParameters.first { $0.lowercased() == last } ?? action.parameters.first ?? field
    }
}
