internal import ApusMessage
internal import ApusResources
internal import GRDB

/// Rows of the tables as values, and changes as statements.
enum CatalogRows {
    // MARK: - Writing

    /// - Returns: the change as made: a new instance has its number.
    static func apply(_ change: CatalogChange, _ db: Database) throws -> CatalogChange {
        switch change {
        case .putAccount(let account):
            try put("account", ["name": account.name, "createdAt": account.createdAt], key: ["name"], db)
        case .deleteAccount(let name): try delete("account", ["name": name], db)
        case .putAccessKey(let key):
            let row: Values = [
                "id": key.id, "secret": key.secret, "account": key.account, "rights": key.rights.rawValue,
                "isEnabled": key.isEnabled, "createdAt": key.createdAt, "tokensSince": key.tokensSince,
            ]
            try put("accessKey", row, key: ["id"], db)
        case .deleteAccessKey(let id): try delete("accessKey", ["id": id], db)
        case .putInstance(let instance): return .putInstance(try put(instance, db))
        case .deleteInstance(let number): try delete("instance", ["number": number.rawValue], db)
        case .putServiceSecret(let name, let value):
            try put("serviceSecret", ["name": name, "value": value.databaseBytes], key: ["name"], db)
        default: try applyToInstance(change, db)
        }
        return change
    }

    private static func applyToInstance(_ change: CatalogChange, _ db: Database) throws {
        switch change {
        case .putTopic(let topic):
            let row: Values = [
                "instance": topic.instance.rawValue, "name": topic.name, "remark": topic.remark,
                "createdAt": topic.createdAt,
            ]
            try put("topic", row, key: ["instance", "name"], db)
        case .deleteTopic(let number, let name):
            try delete("topic", ["instance": number.rawValue, "name": name], db)
            try delete("tag", ["instance": number.rawValue, "kind": Tag.Kind.topic.rawValue, "resource": name], db)
        case .putGroup(let group):
            let row: Values = [
                "instance": group.instance.rawValue, "id": group.id, "createdAt": group.createdAt,
                "updatedAt": group.updatedAt,
            ]
            try put("group", row, key: ["instance", "id"], db)
        case .deleteGroup(let number, let id):
            try delete("group", ["instance": number.rawValue, "id": id], db)
            try delete("tag", ["instance": number.rawValue, "kind": Tag.Kind.group.rawValue, "resource": id], db)
        case .putTag(let tag):
            let row: Values = [
                "instance": tag.instance.rawValue, "kind": tag.kind.rawValue, "resource": tag.resource, "key": tag.key,
                "value": tag.value,
            ]
            try put("tag", row, key: ["instance", "kind", "resource", "key"], db)
        case .deleteTag(let number, let kind, let resource, let key):
            let row: Values = ["instance": number.rawValue, "kind": kind.rawValue, "resource": resource, "key": key]
            try delete("tag", row, db)
        case .putServerNames(let names):
            let row: Values = [
                "instance": names.instance.rawValue, "defaultCertificate": names.defaultCertificate,
                "entries": names.storedEntries,
            ]
            try put("serverNames", row, key: ["instance"], db)
        default: try applyToCredentials(change, db)
        }
    }

    private static func applyToCredentials(_ change: CatalogChange, _ db: Database) throws {
        switch change {
        case .putDeviceCredential(let credential):
            let row: Values = [
                "instance": credential.instance.rawValue, "clientID": credential.clientID,
                "accessKeyID": credential.accessKeyID, "accessKeySecret": credential.accessKeySecret,
                "createdAt": credential.createdAt, "updatedAt": credential.updatedAt,
            ]
            try put("deviceCredential", row, key: ["instance", "clientID"], db)
        case .deleteDeviceCredential(let number, let clientID):
            try delete("deviceCredential", ["instance": number.rawValue, "clientID": clientID], db)
        case .putIdentity(let identity):
            let row: Values = [
                "instance": identity.instance.rawValue, "userName": identity.userName,
                "clientID": identity.clientID ?? "", "type": identity.type.rawValue, "secret": identity.secret,
                "signMode": identity.signMode.rawValue,
            ]
            try put("identity", row, key: ["instance", "userName", "clientID"], db)
        case .deleteIdentity(let number, _, let userName, let clientID):
            let row: Values = ["instance": number.rawValue, "userName": userName, "clientID": clientID ?? ""]
            try delete("identity", row, db)
        case .putPermission(let permission):
            let row: Values = [
                "instance": permission.instance.rawValue, "type": permission.type.rawValue,
                "identity": permission.identity, "topic": permission.topic, "effect": permission.effect.rawValue,
                "action": permission.action.rawValue,
            ]
            try put("permission", row, key: ["instance", "type", "identity", "topic"], db)
        case .deletePermission(let number, let type, let identity, let topic):
            let row: Values = [
                "instance": number.rawValue, "type": type.rawValue, "identity": identity, "topic": topic,
            ]
            try delete("permission", row, db)
        case .putBan(let ban):
            let row: Values = ["instance": ban.instance.rawValue, "clientID": ban.clientID]
            try put("ban", row, key: ["instance", "clientID"], db)
        case .deleteBan(let ban):
            try delete("ban", ["instance": ban.instance.rawValue, "clientID": ban.clientID], db)
        case .putRevokedToken(let token):
            let row: Values = [
                "instance": token.instance.rawValue, "tokenID": token.tokenID, "expiresAt": token.expiresAt,
            ]
            try put("revokedToken", row, key: ["instance", "tokenID"], db)
        case .forgetRevokedTokens(let time):
            try db.execute(sql: "DELETE FROM revokedToken WHERE expiresAt < ?", arguments: [time])
        default: try applyToCertificates(change, db)
        }
    }

    private static func applyToCertificates(_ change: CatalogChange, _ db: Database) throws {
        switch change {
        case .putCACertificate(let authority):
            let row: Values = [
                "instance": authority.instance.rawValue, "serialNumber": authority.serialNumber,
                "name": authority.name, "content": authority.content,
                "verificationContent": authority.verificationContent,
                "registrationCode": authority.registrationCode, "isActive": authority.isActive,
                "validFrom": authority.validFrom, "validUntil": authority.validUntil,
            ]
            try put("caCertificate", row, key: ["instance", "serialNumber"], db)
        case .deleteCACertificate(let number, let serialNumber):
            try delete("caCertificate", ["instance": number.rawValue, "serialNumber": serialNumber], db)
        case .putDeviceCertificate(let certificate):
            let row: Values = [
                "instance": certificate.instance.rawValue, "caSerialNumber": certificate.caSerialNumber,
                "serialNumber": certificate.serialNumber, "name": certificate.name, "content": certificate.content,
                "isActive": certificate.isActive, "validFrom": certificate.validFrom,
                "validUntil": certificate.validUntil,
            ]
            try put("deviceCertificate", row, key: ["instance", "caSerialNumber", "serialNumber"], db)
        case .deleteDeviceCertificate(let number, let authority, let serialNumber):
            let row: Values = [
                "instance": number.rawValue, "caSerialNumber": authority, "serialNumber": serialNumber,
            ]
            try delete("deviceCertificate", row, db)
        default: preconditionFailure("a change without a table: \(change)")
        }
    }

    private static func put(_ instance: Instance, _ db: Database) throws -> Instance {
        var row: Values = [
            "id": instance.id, "name": instance.name, "account": instance.account,
            "profile": instance.profile.rawValue, "policies": instance.policies.storedText,
            "limits": instance.limits.storedText, "state": instance.state.rawValue, "createdAt": instance.createdAt,
        ]
        var instance = instance
        if instance.number.isNew {
            try put("instance", row, key: ["number"], db)
            instance.number = InstanceNumber(rawValue: UInt32(truncatingIfNeeded: db.lastInsertedRowID))
        } else {
            row["number"] = instance.number.rawValue
            try put("instance", row, key: ["number"], db)
        }
        return instance
    }

    // MARK: - Statements

    typealias Values = [String: any DatabaseValueConvertible]

    /// Adds a row or replaces the fields of the one with the same key, without touching rows that refer to it.
    static func put(_ table: String, _ row: Values, key: [String], _ db: Database) throws {
        let columns = row.keys.sorted()
        let others = columns.filter { !key.contains($0) }
        let update =
            others.isEmpty
            ? "NOTHING"
            : "UPDATE SET " + others.map { "\"\($0)\" = excluded.\"\($0)\"" }.joined(separator: ", ")
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO "\(table)" (\(columns.map { "\"\($0)\"" }.joined(separator: ", ")))
                VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))
                ON CONFLICT (\(key.map { "\"\($0)\"" }.joined(separator: ", "))) DO \(update)
                """,
        )
        try statement.execute(arguments: try arguments(columns, row))
    }

    private static func delete(_ table: String, _ row: Values, _ db: Database) throws {
        let columns = row.keys.sorted()
        let condition = columns.map { "\"\($0)\" = ?" }.joined(separator: " AND ")
        let statement = try db.cachedStatement(sql: "DELETE FROM \"\(table)\" WHERE \(condition)")
        try statement.execute(arguments: try arguments(columns, row))
    }

    private static func arguments(_ columns: [String], _ row: Values) throws(CatalogError) -> StatementArguments {
        for case let text as String in row.values where text.utf8.contains(0) {
            // SQLite would take it as ending there, and so as another text.
            throw .storage("text with NUL")
        }
        return StatementArguments(columns.compactMap { row[$0]?.databaseValue })
    }
}
