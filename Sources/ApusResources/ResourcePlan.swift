/// How the catalog comes to what a ``ResourceDocument`` says.
///
/// Accounts and instances that the document does not name stay as they are. Of those that it names, keys, parent topics
/// and groups that it does not list are removed, and policies and limits become those of the document.
package struct ResourcePlan: Sendable {
    /// In the order in which they can be made, one transaction.
    package let changes: [CatalogChange]
    /// For people: `+ topic chat of post-cn-apus00001`, `~ …`, `- …`; empty when nothing is to do.
    package let lines: [String]
    /// The only instance that is changed; empty when there are others, or accounts.
    private let instance: String

    package var isEmpty: Bool { changes.isEmpty }

    /// - Parameter now: Unix milliseconds.
    /// - Throws: the first thing of the document that breaks a rule, a field by its place (`instances[0].topics[3]`);
    ///   then nothing of the document may be done.
    package static func make(
        _ document: ResourceDocument,
        _ directory: ResourceDirectory,
        now: Int64,
    ) throws(ResourceError) -> ResourcePlan {
        var draft = PlanDraft(directory: directory, now: now)
        for (index, owner) in document.accounts.enumerated() { try draft.bring(owner, at: "accounts[\(index)]") }
        for (index, tenant) in document.instances.enumerated() {
            try draft.bring(tenant, at: "instances[\(index)]", index)
        }
        let steps = draft.steps
        try rehearse(steps, directory)
        return ResourcePlan(
            changes: steps.map(\.change),
            lines: steps.map(\.line),
            instance: draft.onlyInstance,
        )
    }

    /// Brings the catalog to the document: nothing else changes between the plan and its end, which is all of it or nothing.
    ///
    /// - Returns: what was done.
    /// - Throws: as ``make(_:_:now:)``.
    @discardableResult
    package static func apply(
        _ document: ResourceDocument,
        to manager: ResourceManager,
        by actor: ResourceManager.Actor,
    ) throws(ResourceError) -> ResourcePlan {
        try manager.change(by: actor, action: "apply") { () throws(ResourceError) in
            let plan = try make(document, manager.directory, now: manager.now)
            let detail = plan.lines.prefix(mostLines).joined(separator: "; ")
            return ChangeProposal(
                plan.changes,
                in: plan.instance,
                detail + (plan.lines.count > mostLines ? "; …" : ""),
                answer: plan,
            )
        }.get()
    }

    /// Lines of a plan that the audit log takes.
    private static let mostLines = 20

    /// Goes through all changes without making them.
    private static func rehearse(_ steps: [PlanDraft.Step], _ directory: ResourceDirectory) throws(ResourceError) {
        var current = 0
        do {
            try directory.inspect { (state) throws(ResourceError) in
                try ResourceState.rehearse(steps.map(\.change), in: state) { current = $0 }
            }
        } catch {
            guard case .invalid(let field) = error.kind, steps.indices.contains(current) else { throw error }
            let step = steps[current]
            throw ResourceError(.invalid(field: step.isName ? step.place : "\(step.place).\(field)"), error.message)
        }
    }
}
