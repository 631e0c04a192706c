internal import ApusResources
internal import HTTPTypes

/// Who changed what.
enum AuditOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/audit",
            "listAudit",
            "Who changed what, the latest first; of an instance for its managers, of everything for administrators.",
            rights: .manager,
            query: [
                .init("limit", .integer(1...1_000), "Entries of the page, 100 when absent."),
                .init("before", .integer(1...Int64(1) << 53), "`next` of the page before."),
                .init("instance", Components.instanceID, "Only what concerns this instance."),
            ],
            answer: .component("AuditEntryList"),
        ) { call throws(RESTError) in
            let id = call.query["instance"]?.string
            if let caller = call.caller, !caller.isAdministrator {
                guard let id else {
                    throw RESTError(
                        .forbidden,
                        "Forbidden",
                        "the whole audit log is for administrators; name one of your instances with 'instance'",
                        field: "instance",
                    )
                }
                guard let instance = call.directory.instance(id: id), caller.owns(instance) else {
                    throw .notFound("there is no instance '\(id)' for this key")
                }
            }
            let entries: [AuditEntry]
            do throws(ResourceError) {
                entries = try call.service.manager.audit(
                    before: call.query["before"]?.integer,
                    limit: call.limit,
                    instance: id,
                )
            } catch { throw RESTError(error) }
            let next = entries.count == call.limit ? entries.last.map { "\($0.number)" } ?? "" : ""
            // Before the first entry there is none.
            return RESTCall.page(entries.map(json), next: next == "1" ? "" : next)
        }
    ]

    private static func json(_ entry: AuditEntry) -> JSONValue {
        [
            "number": .integer(entry.number), "time": .integer(entry.time), "actor": .string(entry.actor),
            "source": .string(entry.source), "action": .string(entry.action), "instance": .string(entry.instance),
            "detail": .string(entry.detail), "outcome": .string(entry.outcome),
        ]
    }
}
