internal import GRDB

/// The tables; each step is made once, in order, and never changed afterwards.
enum CatalogSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { db in
            for statement in first { try db.execute(sql: statement) }
            // Within the transaction: a version without the tables, or tables without a version, never stand in a file.
            try db.execute(sql: "PRAGMA user_version = 1")
        }
        migrator.registerMigration("2") { db in
            for statement in second { try db.execute(sql: statement) }
            try db.execute(sql: "PRAGMA user_version = 2")
        }
        return migrator
    }

    /// What belongs to an instance goes with it.
    private static let owner = "instance INTEGER NOT NULL REFERENCES instance(number) ON DELETE CASCADE"

    private static let first = [
        "CREATE TABLE account (name TEXT NOT NULL PRIMARY KEY, createdAt INTEGER NOT NULL) STRICT",
        """
        CREATE TABLE accessKey (id TEXT NOT NULL PRIMARY KEY, secret TEXT NOT NULL,
          account TEXT NOT NULL REFERENCES account(name) ON DELETE CASCADE, rights TEXT NOT NULL,
          isEnabled INTEGER NOT NULL, createdAt INTEGER NOT NULL) STRICT
        """,
        // AUTOINCREMENT: a number is never given again, since messages in the log carry it.
        """
        CREATE TABLE instance (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
          account TEXT NOT NULL REFERENCES account(name), profile TEXT NOT NULL, policies TEXT NOT NULL,
          limits TEXT NOT NULL, state TEXT NOT NULL, createdAt INTEGER NOT NULL) STRICT
        """,
        """
        CREATE TABLE topic (\(owner), name TEXT NOT NULL, remark TEXT NOT NULL, createdAt INTEGER NOT NULL,
          PRIMARY KEY (instance, name)) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE "group" (\(owner), id TEXT NOT NULL, createdAt INTEGER NOT NULL, updatedAt INTEGER NOT NULL,
          PRIMARY KEY (instance, id)) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE tag (\(owner), kind TEXT NOT NULL, resource TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
          PRIMARY KEY (instance, kind, resource, key)) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE deviceCredential (\(owner), clientID TEXT NOT NULL, accessKeyID TEXT NOT NULL,
          accessKeySecret TEXT NOT NULL, createdAt INTEGER NOT NULL, updatedAt INTEGER NOT NULL,
          PRIMARY KEY (instance, clientID)) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE identity (\(owner), userName TEXT NOT NULL, clientID TEXT NOT NULL, type TEXT NOT NULL,
          secret TEXT NOT NULL, signMode TEXT NOT NULL, PRIMARY KEY (instance, userName, clientID)) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE permission (\(owner), type TEXT NOT NULL, identity TEXT NOT NULL, topic TEXT NOT NULL,
          effect TEXT NOT NULL, action TEXT NOT NULL,
          PRIMARY KEY (instance, type, identity, topic)) STRICT, WITHOUT ROWID
        """,
        "CREATE TABLE ban (\(owner), clientID TEXT NOT NULL, PRIMARY KEY (instance, clientID)) STRICT, WITHOUT ROWID",
        """
        CREATE TABLE revokedToken (\(owner), tokenID TEXT NOT NULL, expiresAt INTEGER NOT NULL,
          PRIMARY KEY (instance, tokenID)) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE caCertificate (\(owner), serialNumber TEXT NOT NULL, name TEXT NOT NULL, content TEXT NOT NULL,
          verificationContent TEXT NOT NULL, registrationCode TEXT NOT NULL, isActive INTEGER NOT NULL,
          validFrom INTEGER NOT NULL, validUntil INTEGER NOT NULL,
          PRIMARY KEY (instance, serialNumber)) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE deviceCertificate (\(owner), caSerialNumber TEXT NOT NULL, serialNumber TEXT NOT NULL,
          name TEXT NOT NULL, content TEXT NOT NULL, isActive INTEGER NOT NULL, validFrom INTEGER NOT NULL,
          validUntil INTEGER NOT NULL, PRIMARY KEY (instance, caSerialNumber, serialNumber),
          FOREIGN KEY (instance, caSerialNumber) REFERENCES caCertificate(instance, serialNumber) ON DELETE CASCADE)
          STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE serverNames (\(owner), defaultCertificate TEXT NOT NULL, entries TEXT NOT NULL,
          PRIMARY KEY (instance)) STRICT
        """,
        "CREATE TABLE serviceSecret (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT",
        """
        CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, actor TEXT NOT NULL,
          source TEXT NOT NULL, action TEXT NOT NULL, instance TEXT NOT NULL, detail TEXT NOT NULL,
          outcome TEXT NOT NULL) STRICT
        """,
        "CREATE INDEX auditOfInstance ON audit (instance, number)",
    ]

    /// Since when tokens of a key count.
    private static let second = [
        "ALTER TABLE accessKey ADD COLUMN tokensSince INTEGER NOT NULL DEFAULT 0",
        "UPDATE accessKey SET tokensSince = createdAt",
    ]
}
