internal import ApusResources
internal import HTTPTypes

/// Credentials of single devices.
enum CredentialOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .get,
            "/instances/{instance}/credentials",
            "listCredentials",
            "Credentials by client id, without their secrets.",
            rights: .data,
            query: RESTCall.pageParameters + [.init("group", Components.groupID, "Only those of this group.")],
            answer: .component("CredentialList"),
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let found = call.directory.deviceCredentialClientIDs(
                instance.number,
                group: call.query["group"]?.string,
                after: try call.cursorKey(),
                limit: call.limit + 1,
            ).clientIDs
            let items = found.prefix(call.limit).compactMap { clientID in
                call.directory.deviceCredential(instance.number, clientID: clientID).map(json)
            }
            return RESTCall.page(items, next: found.count > call.limit ? PageCursor.text(found[call.limit - 1]) : "")
        },
        RESTOperation(
            .post,
            "/instances/{instance}/credentials",
            "registerCredential",
            "Makes a device's credential; one that it has is replaced.",
            rights: .manager,
            body: .component("NewCredential"),
            status: .created,
            answer: .component("CredentialWithSecret"),
        ) { call throws(RESTError) in
            try register(call.text("clientId"), call)
        },
        RESTOperation(
            .get,
            "/instances/{instance}/credentials/{clientId}",
            "getCredential",
            "A device's credential with its secret.",
            rights: .manager,
            answer: .component("CredentialWithSecret"),
        ) { call throws(RESTError) in withSecret(try existing(call, try call.instance())) },
        RESTOperation(
            .post,
            "/instances/{instance}/credentials/{clientId}/refresh",
            "refreshCredential",
            "Replaces a device's credential by a new one.",
            rights: .manager,
            answer: .component("CredentialWithSecret"),
        ) { call throws(RESTError) in
            try register(call.part("clientId"), call, mustExist: true)
        },
        RESTOperation(
            .delete,
            "/instances/{instance}/credentials/{clientId}",
            "deleteCredential",
            "Removes a device's credential; an open connection stays, the next one is refused.",
            rights: .manager,
            status: .noContent,
        ) { call throws(RESTError) in
            let instance = try call.instance()
            let clientID = try existing(call, instance).clientID
            try call.change(
                [.deleteDeviceCredential(instance.number, clientID: clientID)],
                in: instance.id,
                "credential of \(excerpt(clientID))",
            )
            return .null
        },
    ]

    private static func existing(_ call: RESTCall, _ instance: Instance) throws(RESTError) -> DeviceCredential {
        let clientID = call.part("clientId")
        guard let found = call.directory.deviceCredential(instance.number, clientID: clientID) else {
            throw .notFound("'\(excerpt(clientID))' has no credential")
        }
        return found
    }

    private static func register(
        _ clientID: String,
        _ call: RESTCall,
        mustExist: Bool = false,
    ) throws(RESTError) -> JSONValue {
        let instance = try call.instance()
        guard let caller = call.caller else { throw .notFound("there is no caller") }
        let desk = CredentialDesk(service: call.service, caller: caller, action: call.auditAction)
        do {
            return withSecret(try desk.register(clientID, in: instance, mustExist: mustExist))
        } catch { throw RESTError(error) }
    }

    private static func json(_ credential: DeviceCredential) -> JSONValue {
        [
            "clientId": .string(credential.clientID), "accessKeyId": .string(credential.accessKeyID),
            "createdAt": .integer(credential.createdAt), "updatedAt": .integer(credential.updatedAt),
        ]
    }

    private static func withSecret(_ credential: DeviceCredential) -> JSONValue {
        json(credential).adding(["accessKeySecret": .string(credential.accessKeySecret)])
    }
}
