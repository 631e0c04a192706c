internal import ApusCrypto
internal import ApusMessage
internal import ApusResources

/// Why a CA certificate was not registered.
enum AuthorityRefusal: Error, Equatable {
    case certificate(String)
    case verification(String)
    /// The verification certificate does not carry the registration code.
    case code(String)
    case failed(ResourceError)
}

/// Registers authorities of device certificates (apsaramq-facts 2.8).
struct AuthorityDesk {
    let service: ManagementService

    /// What a verification certificate must have for its common name.
    ///
    /// Always the same for an instance, and nobody else can make it: it is cut from a keyed hash of the instance's number.
    func registrationCode(of instance: Instance) throws(ResourceError) -> String {
        guard let secret = service.directory.serviceSecret(TokenSeal.secretName) else {
            throw ResourceError(.storage, "the service has lost the secret that registration codes are made of")
        }
        let text = "registration of authorities with instance \(instance.number.rawValue)"
        return Hex.encode(Array(HMAC.sha256(key: secret, Array(text.utf8)).prefix(16)))
    }

    /// The value to store for an authority whose owner has shown that its key is theirs.
    func certificate(
        name: String,
        content: String,
        verification: String,
        in instance: Instance,
    ) throws(AuthorityRefusal) -> CACertificate {
        guard let authority = X509Certificate(pem: content) else {
            throw .certificate("it is no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
        }
        guard authority.isAuthority else {
            throw .certificate("'\(authority.subject)' may not sign others; its basic constraints must say CA:TRUE")
        }
        guard let validity = authority.validity else { throw .certificate("its times of validity cannot be read") }
        guard authority.serialNumber.utf8.count <= 128 else {
            throw .certificate("its serial number is longer than 128 bytes")
        }
        guard let proof = X509Certificate(pem: verification) else {
            throw .verification("it is no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
        }
        guard proof.isIssued(by: authority) else {
            throw .verification("it was not issued and signed by '\(authority.subject)'")
        }
        let code: String
        do {
            code = try registrationCode(of: instance)
        } catch { throw .failed(error) }
        guard proof.commonName == code else {
            throw .code(
                "the verification certificate's common name is '\(excerpt((proof.commonName ?? "")))'; "
                    + "it must be the code that GetRegisterCode gives",
            )
        }
        return CACertificate(
            instance: instance.number,
            serialNumber: authority.serialNumber,
            name: name,
            content: content,
            verificationContent: verification,
            registrationCode: code,
            validFrom: validity.from,
            validUntil: validity.until,
        )
    }

    /// Whether both are the same certificate, however its text is laid out.
    static func isSame(_ one: CACertificate, _ other: CACertificate) -> Bool {
        guard let first = X509Certificate(pem: one.content), let second = X509Certificate(pem: other.content) else {
            return false
        }
        return first.pem == second.pem
    }
}
