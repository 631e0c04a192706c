internal import ApusMessage
internal import ApusResources
internal import Foundation
internal import GRDB

// Rows as values, at start.

extension CatalogRows {
    static func load(_ db: Database) throws -> CatalogContents {
        var contents = CatalogContents()
        contents.accounts = try rows("account", db) { Account(name: $0["name"], createdAt: $0["createdAt"]) }
        contents.accessKeys = try rows("accessKey", db) { row in
            AccessKey(
                id: row["id"],
                secret: row["secret"],
                account: row["account"],
                rights: try word(row, "rights"),
                isEnabled: row["isEnabled"],
                createdAt: row["createdAt"],
            )
        }
        contents.instances = try rows("instance", db) { row in
            Instance(
                number: InstanceNumber(rawValue: row["number"]),
                id: row["id"],
                name: row["name"],
                account: row["account"],
                profile: try word(row, "profile"),
                policies: try PolicyOverrides(storedText: row["policies"]),
                limits: try LimitOverrides(storedText: row["limits"]),
                state: try word(row, "state"),
                createdAt: row["createdAt"],
            )
        }
        contents.topics = try rows("topic", db) { row in
            ParentTopic(instance: owner(row), name: row["name"], remark: row["remark"], createdAt: row["createdAt"])
        }
        contents.groups = try rows("group", db) { row in
            Group(instance: owner(row), id: row["id"], createdAt: row["createdAt"], updatedAt: row["updatedAt"])
        }
        contents.tags = try rows("tag", db) { row in
            Tag(
                instance: owner(row),
                kind: try word(row, "kind"),
                resource: row["resource"],
                key: row["key"],
                value: row["value"],
            )
        }
        contents.serviceSecrets = try Row.fetchAll(db, sql: "SELECT * FROM serviceSecret").reduce(into: [:]) {
            let value: Data = $1["value"]
            $0[$1["name"]] = Array(value)
        }
        try loadCredentials(into: &contents, db)
        try loadCertificates(into: &contents, db)
        return contents
    }

    private static func loadCredentials(into contents: inout CatalogContents, _ db: Database) throws {
        contents.deviceCredentials = try rows("deviceCredential", db) { row in
            DeviceCredential(
                instance: owner(row),
                clientID: row["clientID"],
                accessKeyID: row["accessKeyID"],
                accessKeySecret: row["accessKeySecret"],
                createdAt: row["createdAt"],
                updatedAt: row["updatedAt"],
            )
        }
        contents.identities = try rows("identity", db) { row in
            let clientID: String = row["clientID"]
            return CustomIdentity(
                instance: owner(row),
                type: try word(row, "type"),
                userName: row["userName"],
                clientID: clientID.isEmpty ? nil : clientID,
                secret: row["secret"],
                signMode: try word(row, "signMode"),
            )
        }
        contents.permissions = try rows("permission", db) { row in
            CustomPermission(
                instance: owner(row),
                type: try word(row, "type"),
                identity: row["identity"],
                topic: row["topic"],
                effect: try word(row, "effect"),
                action: try word(row, "action"),
            )
        }
        contents.bans = try rows("ban", db) { BannedClient(instance: owner($0), clientID: $0["clientID"]) }
        contents.revokedTokens = try rows("revokedToken", db) { row in
            RevokedToken(instance: owner(row), tokenID: row["tokenID"], expiresAt: row["expiresAt"])
        }
    }

    private static func loadCertificates(into contents: inout CatalogContents, _ db: Database) throws {
        contents.caCertificates = try rows("caCertificate", db) { row in
            CACertificate(
                instance: owner(row),
                serialNumber: row["serialNumber"],
                name: row["name"],
                content: row["content"],
                verificationContent: row["verificationContent"],
                registrationCode: row["registrationCode"],
                isActive: row["isActive"],
                validFrom: row["validFrom"],
                validUntil: row["validUntil"],
            )
        }
        contents.deviceCertificates = try rows("deviceCertificate", db) { row in
            DeviceCertificate(
                instance: owner(row),
                caSerialNumber: row["caSerialNumber"],
                serialNumber: row["serialNumber"],
                name: row["name"],
                content: row["content"],
                isActive: row["isActive"],
                validFrom: row["validFrom"],
                validUntil: row["validUntil"],
            )
        }
        contents.serverNames = try rows("serverNames", db) { row in
            let entries: String = row["entries"]
            return ServerNameConfiguration(
                instance: owner(row),
                defaultCertificate: row["defaultCertificate"],
                entries: entries.split(separator: ";").map { entry in
                    let parts = entry.split(separator: "#", maxSplits: 2, omittingEmptySubsequences: false).map(
                        String.init
                    )
                    return ServerNameConfiguration.Entry(
                        domain: parts[0],
                        certificateID: parts.count > 1 ? parts[1] : "",
                        password: parts.count > 2 ? parts[2] : "",
                    )
                },
            )
        }
    }

    private static func rows<Value>(_ table: String, _ db: Database, _ value: (Row) throws -> Value) throws -> [Value] {
        var values: [Value] = []
        let cursor = try Row.fetchCursor(db, sql: "SELECT * FROM \"\(table)\"")
        while let row = try cursor.next() { values.append(try value(row)) }
        return values
    }

    private static func owner(_ row: Row) -> InstanceNumber { InstanceNumber(rawValue: row["instance"]) }

    /// One of a type's words; another one was not written by this program.
    private static func word<Word: RawRepresentable<String>>(_ row: Row, _ column: String) throws -> Word {
        let text: String = row[column]
        guard let word = Word(rawValue: text) else { throw CatalogError.unusable("`\(text)` stands as \(column)") }
        return word
    }
}

extension [UInt8] {
    /// As SQLite takes it.
    var databaseBytes: Data { Data(self) }
}
