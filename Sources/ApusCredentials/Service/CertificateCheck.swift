internal import ApusBroker
internal import ApusCrypto
internal import ApusLocks
internal import ApusMessage
internal import ApusResources

/// Checks client certificates against the authorities that an instance has registered: an additional check, besides the
/// user name and password (apsaramq-facts 2.2, 2.8).
///
/// The handshake has shown that the client holds the certificate's key, and whether some trusted authority issued it: one
/// of the listener or one that any instance has registered. Here is decided whether it was one of *this* instance, and
/// whether authority and certificate are active.
final class CertificateCheck: Sendable {
    private struct Authority {
        let pem: String
        let certificate: X509Certificate
    }

    private struct Key: Hashable {
        let instance: InstanceNumber
        let serialNumber: String
    }

    private let directory: ResourceDirectory
    /// Parsed authorities; as many as are registered, and stale ones until they are asked for again.
    private let authorities = Guarded<[Key: Authority]>([:])

    init(_ directory: ResourceDirectory) { self.directory = directory }

    /// What a certificate turned out to be.
    struct Finding: Sendable {
        var identity: CertificateIdentity
        /// The certificate, when it is yet to be registered.
        var unregistered: DeviceCertificate?
    }

    /// Why a certificate is not taken.
    struct Refusal: Error, Equatable {
        var sentence: String
    }

    /// - Returns: `nil` when nothing is to be checked: the instance has no authorities, or the client no certificate and
    ///   needs none.
    func finding(
        of peer: Peer,
        in entry: InstanceTable.Entry,
        isRequired: Bool,
        now: Timestamp,
    ) throws(Refusal) -> Finding? {
        let instance = entry.instance
        guard let bytes = peer.certificate else {
            guard !isRequired else {
                throw Refusal(
                    sentence: "instance \(quoted(instance.id)) demands a client certificate, and there is none"
                )
            }
            return nil
        }
        let registered = directory.caCertificates(of: instance.number)
        guard !registered.isEmpty else {
            guard !isRequired else {
                throw Refusal(sentence: "instance \(quoted(instance.id)) has no registered CA certificate to check by")
            }
            // It has passed the listener, which may demand one, by an authority that is not for this instance.
            guard peer.certificateSubject != nil || peer.certificateFault != nil else {
                throw Refusal(
                    sentence: "the client certificate was issued by a CA of another instance than "
                        + "\(quoted(instance.id))",
                )
            }
            return nil
        }
        guard let certificate = X509Certificate(der: bytes), let validity = certificate.validity else {
            throw Refusal(sentence: "the client certificate cannot be read")
        }
        guard let authority = registered.first(where: { parsed($0).map(certificate.isIssued(by:)) == true }) else {
            throw Refusal(
                sentence: "the client certificate was issued by no CA that is registered with instance "
                    + "\(quoted(instance.id)); register it with RegisterCaCertificate",
            )
        }
        let identity = CertificateIdentity(
            caSerialNumber: authority.serialNumber,
            serialNumber: certificate.serialNumber,
        )
        if let sentence = failure(of: identity, instance.number) { throw Refusal(sentence: sentence) }
        let validities = [(authority.validFrom, authority.validUntil), validity]
        guard validities.allSatisfy({ $0.0 <= now.milliseconds && now.milliseconds < $0.1 }) else {
            throw Refusal(sentence: "the client certificate or its CA is not valid at this time")
        }
        if let fault = peer.certificateFault {
            throw Refusal(sentence: "the client certificate does not verify: \(fault)")
        }
        let known = directory.deviceCertificate(
            instance.number,
            caSerialNumber: identity.caSerialNumber,
            serialNumber: identity.serialNumber,
        )
        guard known == nil else { return Finding(identity: identity) }
        let device = DeviceCertificate(
            instance: instance.number,
            caSerialNumber: identity.caSerialNumber,
            serialNumber: identity.serialNumber,
            name: certificate.commonName ?? certificate.subject,
            content: certificate.pem,
            validFrom: validity.from,
            validUntil: validity.until,
        )
        return Finding(identity: identity, unregistered: device)
    }

    /// Why a certificate that was good is no longer.
    ///
    /// - Returns: `nil` while it is; that goes for one that was deleted too, for its next use registers it again.
    func failure(of identity: CertificateIdentity, _ instance: InstanceNumber) -> String? {
        guard let authority = directory.caCertificate(instance, serialNumber: identity.caSerialNumber) else {
            return "the CA certificate \(identity.caSerialNumber) of the client certificate was deleted"
        }
        guard authority.isActive else {
            return "the CA certificate \(identity.caSerialNumber) is inactive; put it back with ActiveCaCertificate"
        }
        let device = directory.deviceCertificate(
            instance,
            caSerialNumber: identity.caSerialNumber,
            serialNumber: identity.serialNumber,
        )
        guard device?.isActive ?? true else {
            return
                "the device certificate \(identity.serialNumber) is inactive; put it back with ActiveDeviceCertificate"
        }
        return nil
    }

    private func parsed(_ authority: CACertificate) -> X509Certificate? {
        authorities.withLock { authorities in
            let key = Key(instance: authority.instance, serialNumber: authority.serialNumber)
            if let known = authorities[key], known.pem == authority.content { return known.certificate }
            guard let certificate = X509Certificate(pem: authority.content) else { return nil }
            authorities[key] = Authority(pem: authority.content, certificate: certificate)
            return certificate
        }
    }
}
