internal import ApusResources

/// What the actions of custom authentication have in common (apsaramq-facts 2.6).
enum CustomAction {
    static func action(
        _ name: String,
        _ rights: AccessKey.Rights,
        _ parameters: [String],
        _ perform: @escaping RPCAction.OfInstance,
    ) -> RPCAction {
        RPCAction(
            name,
            rights: rights,
            family: .named,
            parameters: parameters,
            body: .ofInstance(parameter: "InstanceId", perform),
        )
    }

    /// A page of entries as the query actions give it.
    static func page<Item>(
        of all: [Item],
        _ call: RPCCall,
        key: (Item) -> String,
        json: (Item) -> JSONValue,
    ) throws(RPCError) -> JSONValue {
        let size = try call.parameters.integer("Size", in: 1...100)
        let token = try call.parameters.optionalText("NextToken", most: 4_096) ?? ""
        guard let page = Page(of: all, after: token, limit: Int(size), key: key) else {
            throw call.parameters.refusal(of: "NextToken", "it is none that this action has given")
        }
        return .success([
            "Data": ["Results": .array(page.items.map(json)), "NextToken": .string(page.next)]
        ])
    }

    /// Stands between the parts of a key; no name holds it.
    static let separator = "\u{1}"
}
