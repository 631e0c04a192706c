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
    /// - Throws: all of the document that cannot be read or breaks a rule; then nothing of the document may be done.
    package static func make(
        _ document: ResourceDocument,
        _ directory: ResourceDirectory,
        now: Int64,
    ) throws(DocumentError) -> ResourcePlan {
        var draft = PlanDraft(document.problems, directory: directory, now: now)
        for (index, owner) in document.accounts.enumerated() { draft.bring(owner, at: "accounts[\(index)]") }
        for (index, tenant) in document.instances.enumerated() {
            draft.bring(tenant, at: "instances[\(index)]", index)
        }
        let steps = draft.steps
        var rehearsal = PlanRehearsal(draft.problems, directory)
        for step in steps { rehearsal.make(step) }
        if let error = DocumentError(rehearsal.problems.all) { throw error }
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
    ) throws(DocumentError) -> ResourcePlan {
        let outcome = try manager.change(by: actor, action: "apply") { () throws(DocumentError) in
            let plan = try make(document, manager.directory, now: manager.now)
            let detail = plan.lines.prefix(mostLines).joined(separator: "; ")
            return ChangeProposal(
                plan.changes,
                in: plan.instance,
                detail + (plan.lines.count > mostLines ? "; …" : ""),
                answer: plan,
            )
        }
        do {
            return try outcome.get()
        } catch {
            throw DocumentError(DocumentError.Problem(place: "", error: error))
        }
    }

    /// Lines of a plan that the audit log takes.
    private static let mostLines = 20
}
