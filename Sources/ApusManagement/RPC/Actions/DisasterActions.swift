internal import ApusResources

/// The disaster set-up of several instances, which the vendor offers on request only and this service not at all
/// (apsaramq-facts 4.4.16, 4.4.17).
enum DisasterActions {
    static let all: [RPCAction] = [
        refused("DisasterDowngrade", other: "DowngradeInstanceId"),
        refused("DisasterRecovery", other: "RecoveryInstanceId"),
    ]

    private static func refused(_ name: String, other: String) -> RPCAction {
        RPCAction(
            name,
            rights: .administrator,
            family: .named,
            parameters: [other],
            body: .ofInstance(parameter: "InstanceId") { call, instance throws(RPCError) in
                _ = try call.instance(named: other)
                throw RPCError(
                    404,
                    "ApiNotSupport",
                    "'\(instance.id)' belongs to no set-up of several instances with a virtual address; "
                        + "this service has none",
                )
            },
        )
    }
}
