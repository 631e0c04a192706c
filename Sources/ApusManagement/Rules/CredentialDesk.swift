internal import ApusMessage
internal import ApusResources

/// Makes and replaces the credentials of single devices (apsaramq-facts 2.5).
struct CredentialDesk {
    let service: ManagementService
    let caller: Caller
    /// For the audit log.
    let action: String

    /// A new pair for a client id; an earlier one no longer counts.
    ///
    /// - Parameter mustExist: whether there has to be an earlier one.
    func register(
        _ clientID: String,
        in instance: Instance,
        mustExist: Bool = false,
    ) throws(ResourceError) -> DeviceCredential {
        try service.manager.change(by: caller.actor, action: action) { () throws(ResourceError) in
            if mustExist, service.directory.deviceCredential(instance.number, clientID: clientID) == nil {
                throw ResourceError(.notFound, "'\(excerpt(clientID))' has no credential; register one")
            }
            try check(clientID, in: instance)
            let credential = try service.manager.newDeviceCredential(instance.number, clientID: clientID)
            return ChangeProposal(
                [.putDeviceCredential(credential)],
                in: instance.id,
                "ClientId=\(excerpt(clientID))",
                answer: credential,
            )
        }.get()
    }

    /// Where clients need a group, so do their credentials.
    private func check(_ clientID: String, in instance: Instance) throws(ResourceError) {
        func refuse(_ message: String) -> ResourceError { ResourceError(.invalid(field: "clientId"), message) }
        guard instance.effectivePolicies.requiresGroup else { return }
        let bytes = Array(clientID.utf8)
        let separator = Array("@@@".utf8)
        let start = bytes.indices.first { bytes[$0...].starts(with: separator) }
        guard let start, start + separator.count < bytes.count else {
            throw refuse("'\(excerpt(clientID))' is not of the form GroupID@@@DeviceID")
        }
        let group = String(decoding: bytes[..<start], as: UTF8.self)
        guard service.directory.hasGroup(instance.number, group) else {
            throw refuse("the instance '\(instance.id)' has no group '\(excerpt(group))'; create it first")
        }
    }
}

extension CredentialDesk {
    init(call: RPCCall) { self.init(service: call.service, caller: call.caller, action: call.action.name) }
}
