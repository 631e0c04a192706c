internal import ApusResources

/// What the actions on certificates have in common.
enum CertificateAction {
    /// Of a PEM text.
    static let mostBytes = 65_536

    static func action(
        _ name: String,
        _ rights: AccessKey.Rights,
        _ parameters: [String],
        _ perform: @escaping RPCAction.OfInstance,
    ) -> RPCAction {
        RPCAction(
            name,
            rights: rights,
            rate: 500,
            family: .field,
            parameters: parameters,
            body: .ofInstance(parameter: "MqttInstanceId", perform),
        )
    }

    /// A page by number; one beyond the last is empty.
    static func page<Item>(
        of all: [Item],
        _ call: RPCCall,
        list: String,
        json: (Item) -> JSONValue,
    ) throws(RPCError) -> JSONValue {
        let number = try call.parameters.integer("PageNo", in: 1...1_000_000)
        let size = try call.parameters.integer("PageSize", in: 1...100)
        let items = all.dropFirst(Int((number - 1) * size)).prefix(Int(size))
        return [
            "Data": .object([
                .init(name: list, value: .array(items.map(json))), .init(name: "PageNo", value: .integer(number)),
                .init(name: "PageSize", value: .integer(size)), .init(name: "Total", value: JSONValue(all.count)),
            ])
        ]
    }
}
