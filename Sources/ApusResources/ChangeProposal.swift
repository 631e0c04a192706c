/// What somebody wants to change, worked out from what the catalog holds at that moment.
///
/// ``ResourceManager/change(by:action:_:)`` asks for it while nobody else changes anything.
package struct ChangeProposal<Answer: Sendable>: Sendable {
    /// All of them are made, or none; without any the call leaves no trace.
    package var changes: [CatalogChange]
    /// An instance's id, or empty, for the audit log.
    package var instance: String
    /// For the audit log, without secrets.
    package var detail: String
    /// For who asked, once the changes are made.
    package var answer: Answer

    package init(_ changes: [CatalogChange], in instance: String = "", _ detail: String, answer: Answer) {
        self.changes = changes
        self.instance = instance
        self.detail = detail
        self.answer = answer
    }
}

extension ChangeProposal<Void> {
    package init(_ changes: [CatalogChange], in instance: String = "", _ detail: String) {
        self.init(changes, in: instance, detail, answer: ())
    }
}
