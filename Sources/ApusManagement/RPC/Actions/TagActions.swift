internal import ApusMessage
internal import ApusResources

/// Tags (apsaramq-facts 4.4.30, 4.4.46, 4.4.48).
///
/// An instance is named by its id. How a group or topic is named is not documented: `<instance>/<name>` always works, and
/// the name alone when only one instance of the caller's has it.
enum TagActions {
    /// Tags and resources of one call.
    static let most = 20
    private static let mostResources = 50
    private static let page = 100

    static let all: [RPCAction] = [
        tags("TagResources", .manager, ["ResourceType", "ResourceId.n", "Tag.n.Key", "Tag.n.Value"]) {
            call throws(RPCError) in
            var tags: [(key: String, value: String)] = []
            for tag in try call.parameters.objects("Tag", most: most) {
                tags.append((try tag.text("Key", most: 128), try tag.optionalText("Value", most: 512) ?? ""))
            }
            guard !tags.isEmpty else {
                throw call.parameters.refusal(of: "Tag", "it is missing; write 'Tag.1.Key' and 'Tag.1.Value'")
            }
            let carriers = try carriers(call)
            try call.change(
                carriers.flatMap { carrier in
                    tags.map { tag in
                        .putTag(
                            Tag(
                                instance: carrier.instance.number,
                                kind: carrier.kind,
                                resource: carrier.name,
                                key: tag.key,
                                value: tag.value
                            )
                        )
                    }
                },
                in: commonInstance(carriers),
            )
            return ["Code": "200", "Message": worked, "Data": true]
        },
        tags("UntagResources", .manager, ["ResourceType", "ResourceId.n", "TagKey.n", "All"]) {
            call throws(RPCError) in
            let removesAll = try call.parameters.boolean("All", default: false)
            let keys = Set(try call.parameters.list("TagKey", most: most).map(ExactText.init))
            guard removesAll || !keys.isEmpty else {
                throw call.parameters.refusal(
                    of: "TagKey",
                    "it is missing; write 'TagKey.1', or 'All=true' for every tag"
                )
            }
            let carriers = try carriers(call)
            try call.change(in: commonInstance(carriers)) {
                var changes: [CatalogChange] = []
                for carrier in carriers {
                    for tag in TagIndex(call.directory.tags(of: carrier.instance.number)).of(carrier.kind, carrier.name)
                    where removesAll || keys.contains(ExactText(tag.key)) {
                        changes.append(
                            .deleteTag(carrier.instance.number, carrier.kind, resource: carrier.name, key: tag.key)
                        )
                    }
                }
                return changes
            }
            return ["Code": "200", "Message": worked, "Data": true]
        },
        tags("ListTagResources", .data, ["ResourceType", "ResourceId.n", "Tag.n.Key", "Tag.n.Value", "NextToken"]) {
            call throws(RPCError) in
            let kind = try call.parameters.choice("ResourceType", Tag.Kind.self)
            let names = try call.parameters.list("ResourceId", most: mostResources)
            let carriers = names.isEmpty ? nil : Set(try carriers(call).map { ExactText($0.fullName) })
            var wanted: [(key: String, value: String?)] = []
            for tag in try call.parameters.objects("Tag", most: most) {
                wanted.append((try tag.text("Key", most: 128), try tag.optionalText("Value", most: 512)))
            }
            var found: [(carrier: Carrier, tag: Tag)] = []
            for instance in call.directory.instances where call.caller.owns(instance) {
                for tag in call.directory.tags(of: instance.number) where tag.kind == kind {
                    let carrier = Carrier(instance: instance, kind: kind, name: tag.resource)
                    guard carriers?.contains(ExactText(carrier.fullName)) ?? true else { continue }
                    guard
                        wanted.isEmpty
                            || wanted.contains(where: {
                                ExactText($0.key) == ExactText(tag.key)
                                    && ExactText($0.value ?? tag.value) == ExactText(tag.value)
                            })
                    else { continue }
                    found.append((carrier, tag))
                }
            }
            let cursor = try call.parameters.optionalText("NextToken", most: 4_096) ?? ""
            // A separator that no name holds keeps the order of both parts.
            guard
                let page = Page(
                    of: found,
                    after: cursor,
                    limit: page,
                    key: { "\($0.carrier.fullName)\u{1}\($0.tag.key)" }
                )
            else { throw call.parameters.refusal(of: "NextToken", "it is none that this action has given") }
            return [
                "Code": "200", "Success": "true", "Message": worked, "NextToken": .string(page.next),
                "TagResources": .array(
                    page.items.map { item in
                        [
                            "ResourceId": .string(item.carrier.fullName), "ResourceType": .string(kind.rawValue),
                            "TagKey": .string(item.tag.key), "TagValue": .string(item.tag.value),
                        ]
                    }
                ),
            ]
        },
    ]

    private struct Carrier {
        var instance: Instance
        var kind: Tag.Kind
        var name: String

        var fullName: String { kind == .instance ? name : "\(instance.id)/\(name)" }
    }

    /// The instance for the audit log, when it is one.
    private static func commonInstance(_ carriers: [Carrier]) -> String {
        Set(carriers.map(\.instance.id)).count == 1 ? carriers[0].instance.id : ""
    }

    /// The resources that the call names, all of which exist and are for the caller.
    private static func carriers(_ call: RPCCall) throws(RPCError) -> [Carrier] {
        let kind = try call.parameters.choice("ResourceType", Tag.Kind.self)
        var carriers: [Carrier] = []
        for id in try call.parameters.nonEmptyList("ResourceId", most: mostResources) {
            let found = candidates(id, kind, call)
            guard let carrier = found.first, found.count == 1 else {
                let problem = found.isEmpty ? "there is no such resource" : "several instances have one of this name"
                let form = kind == .instance ? "an instance's id" : "'<instance>/<name>'"
                throw call.parameters.refusal(of: "ResourceId", "'\(excerpt(id))': \(problem); write \(form)")
            }
            carriers.append(carrier)
        }
        return carriers
    }

    private static func candidates(_ id: String, _ kind: Tag.Kind, _ call: RPCCall) -> [Carrier] {
        let own = call.directory.instances.filter { call.caller.owns($0) }
        if kind == .instance {
            return own.filter { $0.id == id }.map { Carrier(instance: $0, kind: kind, name: id) }
        }
        let parts = id.split(separator: "/", maxSplits: 1).map(String.init)
        let name = parts.count == 2 ? parts[1] : id
        return own.filter { instance in
            guard parts.count < 2 || parts[0] == instance.id else { return false }
            return kind == .group
                ? call.directory.hasGroup(instance.number, name) : call.directory.hasTopic(instance.number, name)
        }.map { Carrier(instance: $0, kind: kind, name: name) }
    }

    private static func tags(
        _ name: String,
        _ rights: AccessKey.Rights,
        _ parameters: [String],
        _ perform: @escaping RPCAction.OfAccount,
    ) -> RPCAction {
        RPCAction(name, rights: rights, family: .named, parameters: parameters, body: .ofAccount(perform))
    }
}
