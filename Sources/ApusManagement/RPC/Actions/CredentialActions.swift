internal import ApusResources

/// Credentials of single devices (apsaramq-facts 2.5, 4.4.20, 4.4.27, 4.4.40, 4.4.42, 4.4.47).
enum CredentialActions {
    static let all: [RPCAction] = [
        credential("RegisterDeviceCredential", .manager) { call, instance, clientID throws(RPCError) in
            do throws(ResourceError) {
                return answer(try CredentialDesk(call: call).register(clientID, in: instance), instance)
            } catch { throw call.refusal(error) }
        },
        credential("GetDeviceCredential", .manager) { call, instance, clientID throws(RPCError) in
            answer(try existing(clientID, call, instance), instance)
        },
        credential("RefreshDeviceCredential", .manager) { call, instance, clientID throws(RPCError) in
            do throws(ResourceError) {
                return answer(
                    try CredentialDesk(call: call).register(clientID, in: instance, mustExist: true),
                    instance
                )
            } catch { throw call.refusal(error) }
        },
        credential("UnRegisterDeviceCredential", .manager) { call, instance, clientID throws(RPCError) in
            _ = try existing(clientID, call, instance)
            try call.change([.deleteDeviceCredential(instance.number, clientID: clientID)], in: instance.id)
            return [:]
        },
        RPCAction(
            "ListDeviceCredentialClientId",
            rights: .data,
            family: .check,
            parameters: ["GroupId", "NextToken", "PageNo", "PageSize"],
            throttleCode: "ApplyTokenOverFlow",
            body: .ofInstance(parameter: "InstanceId") { call, instance throws(RPCError) in
                try list(call, instance)
            },
        ),
    ]

    private static func existing(
        _ clientID: String,
        _ call: RPCCall,
        _ instance: Instance,
    ) throws(RPCError) -> DeviceCredential {
        guard let found = call.directory.deviceCredential(instance.number, clientID: clientID) else {
            throw call.parameters.refusal(of: "ClientId", "'\(excerpt(clientID))' has no credential; register one")
        }
        return found
    }

    private static func answer(_ credential: DeviceCredential, _ instance: Instance) -> JSONValue {
        [
            "DeviceCredential": [
                "InstanceId": .string(instance.id), "ClientId": .string(credential.clientID),
                "DeviceAccessKeyId": .string(credential.accessKeyID),
                "DeviceAccessKeySecret": .string(credential.accessKeySecret),
                "CreateTime": .integer(credential.createdAt), "UpdateTime": .integer(credential.updatedAt),
            ]
        ]
    }

    private static func list(_ call: RPCCall, _ instance: Instance) throws(RPCError) -> JSONValue {
        let group = try call.parameters.text("GroupId", most: 64)
        let size = Int(try call.parameters.integer("PageSize", in: 1...100))
        let number = Int(try call.parameters.optionalInteger("PageNo", in: 1...1_000_000) ?? 1)
        let token = try call.parameters.optionalText("NextToken", most: 4_096) ?? ""
        guard call.directory.hasGroup(instance.number, group) else {
            throw call.parameters.refusal(of: "GroupId", "there is no group '\(excerpt(group))' in '\(instance.id)'")
        }
        guard let after = PageCursor.key(token) else {
            throw call.parameters.refusal(of: "NextToken", "it is none that this action has given")
        }
        // A cursor says where to go on; without one the page has a number.
        let passedOver = after.isEmpty ? (number - 1) * size : 0
        let found = call.directory.deviceCredentialClientIDs(
            instance.number,
            group: group,
            after: after,
            limit: passedOver + size + 1,
        )
        let rest = found.clientIDs.dropFirst(passedOver)
        let page = rest.prefix(size)
        let next = rest.count > size ? page.last.map(PageCursor.text) ?? "" : ""
        return [
            "DeviceCredentialClientIdList": [
                "ClientIdList": .array(page.map { .string($0) }), "NextToken": .string(next),
                "PageNo": .string("\(number)"), "PageSize": .string("\(size)"), "Total": .string("\(found.total)"),
            ]
        ]
    }

    private static func credential(
        _ name: String,
        _ rights: AccessKey.Rights,
        _ perform: @escaping @Sendable (RPCCall, Instance, String) async throws(RPCError) -> JSONValue,
    ) -> RPCAction {
        RPCAction(
            name,
            rights: rights,
            family: .check,
            parameters: ["ClientId"],
            throttleCode: "ApplyTokenOverFlow",
            body: .ofInstance(parameter: "InstanceId") { call, instance throws(RPCError) in
                try await perform(call, instance, try call.parameters.text("ClientId", most: 4_096))
            },
        )
    }
}
