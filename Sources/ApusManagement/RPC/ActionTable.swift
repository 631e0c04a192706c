/// All actions of both versions.
enum ActionTable {
    static let actions: [RPCAction] =
        GroupActions.all + InstanceActions.all + TagActions.all + TokenActions.all + CredentialActions.all
        + IdentityActions.all + PermissionActions.all + BanActions.all + AuthorityActions.all
        + DeviceCertificateActions.all + SessionActions.all + MessageActions.all + TraceActions.all
        + ServerNameActions.all + DisasterActions.all

    private static let byName: [RPCAction.Version: [String: RPCAction]] = {
        var table: [RPCAction.Version: [String: RPCAction]] = [:]
        for action in actions {
            for version in action.versions { table[version, default: [:]][action.name] = action }
        }
        return table
    }()

    static func action(_ name: String, _ version: RPCAction.Version) -> RPCAction? { byName[version]?[name] }
}
