internal import ApusBroker
internal import ApusResources
internal import HTTPTypes

/// A call of an operation; when it is performed it is checked against its schemas, and the caller has the right to it.
struct RESTCall: Sendable {
    let operation: RESTOperation
    /// `nil` where everybody may call.
    let caller: Caller?
    let service: ManagementService
    /// Unix milliseconds.
    let now: Int64
    // As far as they were read: a call that is refused before goes into the audit log with the others.
    var path: [String: String] = [:]
    var query: [String: JSONValue] = [:]
    var body: JSONValue = [:]

    var directory: ResourceDirectory { service.directory }
    var broker: any BrokerControl { service.broker }

    /// What of the body its schema does not allow, where the operation looks at that itself.
    var breach: RESTError? {
        do throws(RESTError) {
            try operation.body?.check(body, at: "")
            return nil
        } catch { return error }
    }

    /// The path's parameter of that name.
    func part(_ name: String) -> String { path[name] ?? "" }

    /// A member of the body that its schema requires.
    func text(_ name: String) -> String { body[name]?.string ?? "" }

    /// The instance of the path, if it is of those that the caller's key is for.
    func instance() throws(RESTError) -> Instance {
        let id = part("instance")
        guard let caller, let instance = directory.instance(id: id), caller.owns(instance) else {
            // Whether it exists is not for everybody to know.
            throw .notFound("there is no instance '\(id)' for this key")
        }
        return instance
    }

    /// Makes the changes, with an entry in the audit log.
    @discardableResult
    func change(
        _ changes: [CatalogChange],
        in instance: String = "",
        _ detail: String,
    ) throws(RESTError) -> [CatalogChange] {
        do {
            return try service.manager.change(
                changes,
                by: actor,
                action: auditAction,
                instance: instance,
                detail: detail,
            )
        } catch { throw recorded(error) }
    }

    /// Changes what depends on what the catalog holds: nobody changes anything between the look and the change.
    ///
    /// - Parameter propose: looks at the directory, and changes nothing itself.
    /// - Returns: the proposal's answer.
    func change<Answer: Sendable>(
        _ propose: () throws(RESTError) -> ChangeProposal<Answer>,
    ) throws(RESTError) -> Answer {
        let outcome = try service.manager.change(by: actor, action: auditAction, propose)
        do {
            return try outcome.get()
        } catch { throw recorded(error) }
    }

    /// A refusal that the audit log has.
    private func recorded(_ error: ResourceError) -> RESTError {
        var refusal = RESTError(error)
        refusal.isRecorded = true
        return refusal
    }

    /// Enters a refused call in the audit log; if that fails, the refusal is still what the caller must hear.
    ///
    /// Under the instance only if it is of the caller's: what others see of theirs is not for strangers to fill.
    func recordRefusal(_ error: RESTError) {
        let id = part("instance")
        let isOwn = directory.instance(id: id).map { caller?.owns($0) ?? false } ?? false
        let detail = path.filter { $0.key != "instance" || !isOwn }.sorted { $0.key < $1.key }
            .map { "\($0.key)=\(excerpt($0.value, 128))" }.joined(separator: " ")
        try? service.manager.recordRefusal(
            by: actor,
            action: auditAction,
            instance: isOwn ? id : "",
            detail: detail.isEmpty ? body["id"]?.string ?? body["name"]?.string ?? "" : detail,
            outcome: error.code,
        )
    }

    /// Enters a call in the audit log that has changed something else than the catalog.
    func record(in instance: String, _ detail: String) throws(RESTError) { try change([], in: instance, detail) }

    var actor: ResourceManager.Actor { caller?.actor ?? ResourceManager.Actor(name: "anonymous", source: "") }

    var auditAction: String { "\(operation.method.rawValue) \(operation.path)" }

    // MARK: - Pages

    static let pageParameters: [RESTOperation.QueryParameter] = [
        .init("limit", .integer(1...1_000), "Items of the page, 100 when absent."),
        .init("after", .text(0...131_072, .cursor), "`next` of the page before."),
    ]

    var limit: Int { Int(query["limit"]?.integer ?? 100) }

    /// A page of items by key.
    func page<Item>(
        of all: some Sequence<Item>,
        key: (Item) -> String,
        json: (Item) -> JSONValue,
    ) throws(RESTError) -> JSONValue {
        guard let page = Page(of: all, after: query["after"]?.string ?? "", limit: limit, key: key) else {
            throw Self.badCursor
        }
        return Self.page(page.items.map(json), next: page.next)
    }

    /// The key that the page is to begin behind, where the broker makes pages itself.
    func cursorKey() throws(RESTError) -> String {
        guard let key = PageCursor.key(query["after"]?.string ?? "") else { throw Self.badCursor }
        return key
    }

    static func page(_ items: [JSONValue], next: String) -> JSONValue {
        ["items": .array(items), "next": next.isEmpty ? nil : .string(next)]
    }

    private static var badCursor: RESTError { .impossible("after", "it is no `next` of a page before") }
}
