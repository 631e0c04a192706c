internal import ApusCrypto
internal import ApusMessage
internal import ApusResources

/// Makes and replaces the credentials of single devices (apsaramq-facts 2.5).
struct CredentialDesk {
    let service: ManagementService
    let caller: Caller
    let action: String
    let now: Int64

    /// A new pair for a client id; an earlier one no longer counts.
    func register(_ clientID: String, in instance: Instance) throws(ResourceError) -> DeviceCredential {
        try check(clientID, in: instance)
        let old = service.directory.deviceCredential(instance.number, clientID: clientID)
        return try put(clientID, in: instance, createdAt: old?.createdAt ?? now)
    }

    /// A new pair in the place of an existing one.
    func refresh(_ old: DeviceCredential, in instance: Instance) throws(ResourceError) -> DeviceCredential {
        try put(old.clientID, in: instance, createdAt: old.createdAt)
    }

    private func put(_ clientID: String, in instance: Instance, createdAt: Int64) throws(ResourceError) -> DeviceCredential {
        let credential = DeviceCredential(
            instance: instance.number,
            clientID: clientID,
            accessKeyID: "DC.\(try random(12))",
            accessKeySecret: "DC.\(try random(20))",
            createdAt: createdAt,
            updatedAt: max(now, createdAt),
        )
        try service.manager.change(
            [.putDeviceCredential(credential)],
            by: caller.actor,
            action: action,
            instance: instance.id,
            detail: "ClientId=\(clientID)",
        )
        return credential
    }

    /// Hexadecimal digits of so many random bytes.
    private func random(_ count: Int) throws(ResourceError) -> String {
        do {
            return Hex.encode(try randomBytes(count))
        } catch { throw ResourceError(kind: .storage, message: "\(error)") }
    }

    private func check(_ clientID: String, in instance: Instance) throws(ResourceError) {
        func refuse(_ message: String) -> ResourceError {
            ResourceError(kind: .invalid(field: "clientId"), message: message)
        }
        guard instance.effectivePolicies.requiresGroup else { return }
        guard clientID.unicodeScalars.count <= 64 else {
            throw refuse("it has \(clientID.unicodeScalars.count) characters; a client id has at most 64")
        }
        let bytes = Array(clientID.utf8)
        let separator = Array("@@@".utf8)
        let start = bytes.indices.first { bytes[$0...].starts(with: separator) }
        guard let start, start + separator.count < bytes.count else {
            throw refuse("'\(clientID)' is not of the form GroupID@@@DeviceID")
        }
        let group = String(decoding: bytes[..<start], as: UTF8.self)
        guard service.directory.hasGroup(instance.number, group) else {
            throw refuse("the instance '\(instance.id)' has no group '\(group)'; create it first")
        }
    }
}

extension CredentialDesk {
    init(call: RPCCall) {
        self.init(service: call.service, caller: call.caller, action: call.action.name, now: call.now)
    }
}
