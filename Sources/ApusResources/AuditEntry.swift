/// One changing call: who, from where, what, and what became of it.
package struct AuditEntry: Sendable, Hashable {
    /// Ascending; 0 in a value that is yet to be written.
    package var number: Int64
    /// Unix milliseconds.
    package var time: Int64
    /// The access key id, or `local` for what the process did itself (first start, `serve --apply`).
    package var actor: String
    /// Address of the caller; empty for `local`.
    package var source: String
    /// The action: of the RPC API its name, of the REST API method and route, else a verb.
    package var action: String
    /// The instance id; empty for what belongs to none.
    package var instance: String
    /// What was changed, without secrets.
    package var detail: String
    /// `ok`, or the error code of the API that was called, such as `NotFound`; a rule of the catalog's has the REST API's,
    /// with the field or limit behind it, `OverLimit groups`.
    package var outcome: String

    package init(
        number: Int64 = 0,
        time: Int64,
        actor: String,
        source: String,
        action: String,
        instance: String,
        detail: String,
        outcome: String = "ok",
    ) {
        self.number = number
        self.time = time
        self.actor = actor
        self.source = source
        self.action = action
        self.instance = instance
        self.detail = detail
        self.outcome = outcome
    }
}
