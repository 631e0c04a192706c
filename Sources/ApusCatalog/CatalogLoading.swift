internal import ApusMessage
internal import ApusResources
internal import Foundation
internal import GRDB

// Rows as values, at start.

extension CatalogRows {
    static func load(_ db: Database) throws -> CatalogContents {
        var contents = CatalogContents()
        contents.accounts = try rows("account", db) {
            Account(name: try field($0, "name"), createdAt: try field($0, "createdAt"))
        }
        contents.accessKeys = try rows("accessKey", db) { row in
            AccessKey(
                id: try field(row, "id"),
                secret: try field(row, "secret"),
                account: try field(row, "account"),
                rights: try word(row, "rights"),
                isEnabled: try field(row, "isEnabled"),
                createdAt: try field(row, "createdAt"),
                tokensSince: try field(row, "tokensSince"),
            )
        }
        contents.instances = try rows("instance", db) { row in
            Instance(
                number: try number(row, "number"),
                id: try field(row, "id"),
                name: try field(row, "name"),
                account: try field(row, "account"),
                profile: try word(row, "profile"),
                policies: try PolicyOverrides(storedText: field(row, "policies")),
                limits: try LimitOverrides(storedText: field(row, "limits")),
                state: try word(row, "state"),
                createdAt: try field(row, "createdAt"),
            )
        }
        contents.topics = try rows("topic", db) { row in
            ParentTopic(
                instance: try owner(row),
                name: try field(row, "name"),
                remark: try field(row, "remark"),
                createdAt: try field(row, "createdAt")
            )
        }
        contents.groups = try rows("group", db) { row in
            Group(
                instance: try owner(row),
                id: try field(row, "id"),
                createdAt: try field(row, "createdAt"),
                updatedAt: try field(row, "updatedAt")
            )
        }
        contents.tags = try rows("tag", db) { row in
            Tag(
                instance: try owner(row),
                kind: try word(row, "kind"),
                resource: try field(row, "resource"),
                key: try field(row, "key"),
                value: try field(row, "value"),
            )
        }
        contents.serviceSecrets = try Row.fetchAll(db, sql: "SELECT * FROM serviceSecret").reduce(into: [:]) {
            let value: Data = try field($1, "value")
            $0[try field($1, "name")] = Array(value)
        }
        try loadCredentials(into: &contents, db)
        try loadCertificates(into: &contents, db)
        return contents
    }

    private static func loadCredentials(into contents: inout CatalogContents, _ db: Database) throws {
        contents.deviceCredentials = try rows("deviceCredential", db) { row in
            DeviceCredential(
                instance: try owner(row),
                clientID: try field(row, "clientID"),
                accessKeyID: try field(row, "accessKeyID"),
                accessKeySecret: try field(row, "accessKeySecret"),
                createdAt: try field(row, "createdAt"),
                updatedAt: try field(row, "updatedAt"),
            )
        }
        contents.identities = try rows("identity", db) { row in
            let clientID: String = try field(row, "clientID")
            return CustomIdentity(
                instance: try owner(row),
                type: try word(row, "type"),
                userName: try field(row, "userName"),
                clientID: clientID.isEmpty ? nil : clientID,
                secret: try field(row, "secret"),
                signMode: try word(row, "signMode"),
            )
        }
        contents.permissions = try rows("permission", db) { row in
            CustomPermission(
                instance: try owner(row),
                type: try word(row, "type"),
                identity: try field(row, "identity"),
                topic: try field(row, "topic"),
                effect: try word(row, "effect"),
                action: try word(row, "action"),
            )
        }
        contents.bans = try rows("ban", db) {
            BannedClient(instance: try owner($0), clientID: try field($0, "clientID"))
        }
        contents.revokedTokens = try rows("revokedToken", db) { row in
            RevokedToken(
                instance: try owner(row),
                tokenID: try field(row, "tokenID"),
                expiresAt: try field(row, "expiresAt")
            )
        }
    }

    private static func loadCertificates(into contents: inout CatalogContents, _ db: Database) throws {
        contents.caCertificates = try rows("caCertificate", db) { row in
            CACertificate(
                instance: try owner(row),
                serialNumber: try field(row, "serialNumber"),
                name: try field(row, "name"),
                content: try field(row, "content"),
                verificationContent: try field(row, "verificationContent"),
                registrationCode: try field(row, "registrationCode"),
                isActive: try field(row, "isActive"),
                validFrom: try field(row, "validFrom"),
                validUntil: try field(row, "validUntil"),
            )
        }
        contents.deviceCertificates = try rows("deviceCertificate", db) { row in
            DeviceCertificate(
                instance: try owner(row),
                caSerialNumber: try field(row, "caSerialNumber"),
                serialNumber: try field(row, "serialNumber"),
                name: try field(row, "name"),
                content: try field(row, "content"),
                isActive: try field(row, "isActive"),
                validFrom: try field(row, "validFrom"),
                validUntil: try field(row, "validUntil"),
            )
        }
        contents.serverNames = try rows("serverNames", db) { row in
            ServerNameConfiguration(
                instance: try owner(row),
                defaultCertificate: try field(row, "defaultCertificate"),
                entries: try ServerNameConfiguration.Entry.entries(storedText: field(row, "entries")),
            )
        }
    }

    static func auditEntry(_ row: Row) throws -> AuditEntry {
        AuditEntry(
            number: try field(row, "number"),
            time: try field(row, "time"),
            actor: try field(row, "actor"),
            source: try field(row, "source"),
            action: try field(row, "action"),
            instance: try field(row, "instance"),
            detail: try field(row, "detail"),
            outcome: try field(row, "outcome"),
        )
    }

    private static func rows<Value>(_ table: String, _ db: Database, _ value: (Row) throws -> Value) throws -> [Value] {
        var values: [Value] = []
        let cursor = try Row.fetchCursor(db, sql: "SELECT * FROM \"\(table)\"")
        while let row = try cursor.next() { values.append(try value(row)) }
        return values
    }

    private static func owner(_ row: Row) throws -> InstanceNumber { try number(row, "instance") }

    private static func number(_ row: Row, _ column: String) throws -> InstanceNumber {
        InstanceNumber(rawValue: try field(row, column))
    }

    /// What stands in a column; the subscript of a row would end the process where a damaged file holds something else.
    private static func field<Value: DatabaseValueConvertible>(_ row: Row, _ column: String) throws -> Value {
        guard let stored: DatabaseValue = row[column], let value = Value.fromDatabaseValue(stored) else {
            throw CatalogError.unusable("the file is damaged: what stands as \(column) is of another kind")
        }
        return value
    }

    /// One of a type's words; another one was not written by this program.
    private static func word<Word: RawRepresentable<String>>(_ row: Row, _ column: String) throws -> Word {
        try storedWord(field(row, column), column)
    }
}

extension [UInt8] {
    /// As SQLite takes it.
    var databaseBytes: Data { Data(self) }
}

func storedWord<Word: RawRepresentable<String>>(_ text: String, _ what: String) throws(CatalogError) -> Word {
    guard let word = Word(rawValue: text) else {
        throw .unusable("the file is damaged: `\(text.prefix(64))` stands as \(what)")
    }
    return word
}
