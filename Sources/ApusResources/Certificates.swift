package import ApusMessage

/// An authority whose device certificates are taken (apsaramq-facts 2.8, 4.4.41).
package struct CACertificate: Sendable, Hashable {
    package var instance: InstanceNumber
    /// At most 128 bytes.
    package var serialNumber: String
    package var name: String
    /// PEM.
    package var content: String
    /// PEM of the certificate that carried the registration code.
    package var verificationContent: String
    package var registrationCode: String
    package var isActive: Bool
    /// Unix milliseconds.
    package var validFrom: Int64
    /// Unix milliseconds.
    package var validUntil: Int64

    package init(
        instance: InstanceNumber,
        serialNumber: String,
        name: String,
        content: String,
        verificationContent: String,
        registrationCode: String,
        isActive: Bool = true,
        validFrom: Int64,
        validUntil: Int64,
    ) {
        self.instance = instance
        self.serialNumber = serialNumber
        self.name = name
        self.content = content
        self.verificationContent = verificationContent
        self.registrationCode = registrationCode
        self.isActive = isActive
        self.validFrom = validFrom
        self.validUntil = validUntil
    }
}

/// A device's certificate, registered by its first connection (apsaramq-facts 2.8).
package struct DeviceCertificate: Sendable, Hashable {
    package var instance: InstanceNumber
    package var caSerialNumber: String
    /// At most 128 bytes.
    package var serialNumber: String
    package var name: String
    /// PEM.
    package var content: String
    package var isActive: Bool
    /// Unix milliseconds.
    package var validFrom: Int64
    /// Unix milliseconds.
    package var validUntil: Int64

    package init(
        instance: InstanceNumber,
        caSerialNumber: String,
        serialNumber: String,
        name: String,
        content: String,
        isActive: Bool = true,
        validFrom: Int64,
        validUntil: Int64,
    ) {
        self.instance = instance
        self.caSerialNumber = caSerialNumber
        self.serialNumber = serialNumber
        self.name = name
        self.content = content
        self.isActive = isActive
        self.validFrom = validFrom
        self.validUntil = validUntil
    }
}

/// Which server certificate an instance shows for a host name (apsaramq-facts 4.4.45).
package struct ServerNameConfiguration: Sendable, Hashable {
    package struct Entry: Sendable, Hashable {
        package var domain: String
        package var certificateID: String
        /// Of the certificate's key; empty for none.
        package var password: String

        package init(domain: String, certificateID: String, password: String) {
            self.domain = domain
            self.certificateID = certificateID
            self.password = password
        }
    }

    package var instance: InstanceNumber
    /// Shown when no domain matches.
    package var defaultCertificate: String
    package var entries: [Entry]

    package init(instance: InstanceNumber, defaultCertificate: String, entries: [Entry]) {
        self.instance = instance
        self.defaultCertificate = defaultCertificate
        self.entries = entries
    }
}
