/// All operations of the REST API.
enum OperationTable {
    static let all: [RESTOperation] =
        AccountOperations.all + KeyOperations.all + InstanceOperations.all + TopicOperations.all + GroupOperations.all
        + CredentialOperations.all + TokenOperations.all + IdentityOperations.all + PermissionOperations.all
        + BanOperations.all + ClientOperations.all + SessionOperations.all + RetainedOperations.all
        + MessageOperations.all + TraceOperations.all + AuditOperations.all + DocumentOperations.all
}
