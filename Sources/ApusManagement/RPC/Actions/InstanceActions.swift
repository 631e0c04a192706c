internal import ApusMessage
internal import ApusResources

/// Instances (apsaramq-facts 4.4.29).
enum InstanceActions {
    static let all: [RPCAction] = [
        RPCAction(
            "ListInstances",
            rights: .data,
            family: .named,
            parameters: ["Tags"],
            body: .ofAccount { call throws(RPCError) in
                let wanted = try TagText.read(call.parameters)
                var items: [JSONValue] = []
                for instance in call.directory.instances where call.caller.owns(instance) {
                    let tags = TagIndex(call.directory.tags(of: instance.number))
                    guard tags.has(wanted, .instance, instance.id) else { continue }
                    items.append(item(instance, tags, call.service.configuration.region))
                }
                return ["Code": "200", "Success": "true", "Message": worked, "Instances": .array(items)]
            },
        )
    ]

    /// Fields that nothing here could fill truly (an order, an end of the contract) are left out.
    private static func item(_ instance: Instance, _ tags: TagIndex, _ region: String) -> JSONValue {
        [
            "InstanceId": .string(instance.id), "InstanceName": .string(instance.name),
            // The numbers of the vendor's sister product: 5 in service, 2 stopped.
            "InstanceStatus": instance.state == .running ? 5 : 2,
            "InstanceType": instance.profile == .apsaramq ? 1 : 2,
            // The generation whose behaviour is offered (apsaramq-facts 1).
            "KernelVersion": "V3.0.0",
            "Specific": .string(instance.profile.rawValue), "RegionId": .string(region),
            "CreateTime": .integer(instance.createdAt), "MqttTags": tags.json(.instance, instance.id),
        ]
    }
}

/// What newer actions say when they have worked (apsaramq-facts 4.2).
let worked: JSONValue = "operation success."

extension JSONValue {
    /// The answer of the newer actions.
    static func success(_ more: JSONValue = [:]) -> JSONValue {
        JSONValue.object([
            .init(name: "Code", value: 200), .init(name: "Success", value: true), .init(name: "Message", value: worked),
        ]).adding(more)
    }
}
