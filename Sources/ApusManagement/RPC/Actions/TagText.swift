internal import ApusMessage
internal import ApusResources

/// The parameter `Tags` of some actions, whose form is not documented: here a JSON array,
/// `[{"Key":"stage","Value":"test"}]`.
enum TagText {
    static func read(_ parameters: ParameterReader) throws(RPCError) -> [(key: String, value: String)] {
        guard let text = try parameters.optionalText("Tags", most: 16_384) else { return [] }
        guard let items = (try? JSONReader.read(Array(text.utf8)))?.items, items.count <= TagActions.most else {
            throw refusal(parameters)
        }
        var tags: [(key: String, value: String)] = []
        for item in items {
            guard let key = (item["Key"] ?? item["TagKey"])?.string, !key.isEmpty else { throw refusal(parameters) }
            tags.append((key, (item["Value"] ?? item["TagValue"])?.string ?? ""))
        }
        return tags
    }

    private static func refusal(_ parameters: ParameterReader) -> RPCError {
        parameters.refusal(
            of: "Tags",
            #"write at most \#(TagActions.most) tags as [{"Key":"stage","Value":"test"}]"#,
        )
    }
}

/// The tags of an instance by what carries them.
struct TagIndex {
    private struct Carrier: Hashable {
        var kind: Tag.Kind
        var resource: String
    }

    private var tags: [Carrier: [Tag]] = [:]

    init(_ all: [Tag]) {
        for tag in all { tags[Carrier(kind: tag.kind, resource: tag.resource), default: []].append(tag) }
    }

    func of(_ kind: Tag.Kind, _ resource: String) -> [Tag] {
        (tags[Carrier(kind: kind, resource: resource)] ?? []).sorted { $0.key < $1.key }
    }

    /// Whether the resource carries all the tags.
    func has(_ wanted: [(key: String, value: String)], _ kind: Tag.Kind, _ resource: String) -> Bool {
        let carried = of(kind, resource).map { [ExactText($0.key), ExactText($0.value)] }
        return wanted.allSatisfy { carried.contains([ExactText($0.key), ExactText($0.value)]) }
    }

    func json(_ kind: Tag.Kind, _ resource: String) -> JSONValue {
        .array(of(kind, resource).map { ["TagKey": .string($0.key), "TagValue": .string($0.value)] })
    }
}
