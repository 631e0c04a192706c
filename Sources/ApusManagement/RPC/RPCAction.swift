internal import ApusResources

/// One action of the RPC API, as data: what it takes, who may call it and how often, and what it does.
struct RPCAction: Sendable {
    enum Version: String, Sendable, CaseIterable {
        case v2020 = "2020-04-20"
        case v2019 = "2019-12-11"
    }

    typealias OfAccount = @Sendable (RPCCall) async throws(RPCError) -> JSONValue
    typealias OfInstance = @Sendable (RPCCall, Instance) async throws(RPCError) -> JSONValue

    enum Body: Sendable {
        /// Over all instances that the key is for.
        case ofAccount(OfAccount)
        /// Within the instance that the parameter names.
        case ofInstance(parameter: String, OfInstance)
    }

    /// Calls a second and account where none is documented.
    static let usualRate = 500

    var name: String
    var versions: [Version]
    /// The least right that opens it.
    var rights: AccessKey.Rights
    /// Calls that an account may make in a second (apsaramq-facts 7).
    var rate: Int
    var family: ParameterFamily
    /// Its parameters besides that of the instance; of lists with `n` for the number: `Tag.n.Key`.
    var parameters: [String]
    /// The code of a throttled call.
    var throttleCode: String
    /// The code when the key has not the right.
    var permissionCode: String
    /// The code when there is no such instance.
    var unknownInstanceCode: String
    var body: Body

    /// Whether it changes what the audit log is about; messages are in the trace, and tokens are not stored.
    var isAudited: Bool {
        !["Get", "List", "Query", "BatchQuery", "Send", "BatchSend", "Apply"].contains { name.hasPrefix($0) }
    }

    init(
        _ name: String,
        versions: [Version] = [.v2020],
        rights: AccessKey.Rights,
        rate: Int = RPCAction.usualRate,
        family: ParameterFamily,
        parameters: [String] = [],
        throttleCode: String = "SystemOverFlow",
        permissionCode: String = "PermissionCheckFailed",
        unknownInstanceCode: String = "InstancePermissionCheckFailed",
        body: Body,
    ) {
        self.name = name
        self.versions = versions
        self.rights = rights
        self.rate = rate
        self.family = family
        self.parameters = parameters
        self.throttleCode = throttleCode
        self.permissionCode = permissionCode
        self.unknownInstanceCode = unknownInstanceCode
        self.body = body
    }

    /// The name of the parameter that names the instance; `nil` when the action is of the account.
    var instanceParameter: String? {
        guard case .ofInstance(let parameter, _) = body else { return nil }
        return parameter
    }

    var allParameters: [String] { (instanceParameter.map { [$0] } ?? []) + parameters }

    /// Whether it has the parameter, which in lists has a number: `Tag.1.Key`.
    func takes(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return allParameters.contains(parts.map { Int($0) != nil ? "n" : String($0) }.joined(separator: "."))
    }
}
