internal import COpenSSL

/// A certificate that vouches for itself, with its key (EC P-256), both in PEM.
///
/// It is an authority (`CA:TRUE`) besides a server's certificate, so that a client that is given it as the file of its
/// authorities trusts the server. It may sign no further authorities and stands for servers only.
package struct SelfSignedCertificate: Sendable, Equatable {
    package let certificate: String
    package let key: String

    /// Makes a key and a certificate; needs randomness and some milliseconds.
    ///
    /// - Parameters:
    ///   - commonName: What a person reads in lists of certificates.
    ///   - hostNames: DNS names, such as `localhost` and `*.localhost`.
    ///   - addresses: IP addresses as text.
    ///   - validity: From and until when it holds, in seconds since 1970.
    package init(
        commonName: String,
        hostNames: [String],
        addresses: [String],
        validity: Range<Int64>,
    ) throws(CryptoError) {
        // What other calls left behind in this thread would be taken for the reason of a failure here.
        ERR_clear_error()
        let key = try Owned.makeKey()
        let certificate = Owned(X509_new(), X509_free)
        try check(X509_set_version(certificate.pointer, Int(X509_VERSION_3)), "version")
        try Self.setSerial(of: certificate.pointer)
        try check(ASN1_TIME_set(X509_getm_notBefore(certificate.pointer), Int(validity.lowerBound)) != nil, "start")
        try check(ASN1_TIME_set(X509_getm_notAfter(certificate.pointer), Int(validity.upperBound)) != nil, "end")
        let name = X509_get_subject_name(certificate.pointer)
        let text = Array(commonName.utf8)
        try check(
            X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8_KIND, text, Int32(text.count), -1, 0),
            "subject",
        )
        try check(X509_set_issuer_name(certificate.pointer, name), "issuer")
        try check(X509_set_pubkey(certificate.pointer, key.pointer), "public key")
        let names = hostNames.map { "DNS:\($0)" } + addresses.map { "IP:\($0)" }
        for (kind, value) in [
            (NID_subject_key_identifier, "hash"),
            (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
            (NID_key_usage, "critical,digitalSignature,keyCertSign"),
            (NID_ext_key_usage, "serverAuth"),
            (NID_subject_alt_name, names.joined(separator: ",")),
        ] { try Self.add(kind, value, to: certificate.pointer) }
        try check(X509_sign(certificate.pointer, key.pointer, EVP_sha256()), "signature")
        self.certificate = try Self.text { PEM_write_bio_X509($0, certificate.pointer) }
        self.key = try Self.text { PEM_write_bio_PKCS8PrivateKey($0, key.pointer, nil, nil, 0, nil, nil) }
    }

    /// Whether both texts can be read, belong together, and hold at a time in seconds since 1970.
    package static func isUsable(certificate: String, key: String, at time: Int64) -> Bool {
        // An unreadable text leaves entries in the thread's error queue, where the next TLS call would find them.
        defer { ERR_clear_error() }
        let certificateText = Owned.copy(of: certificate)
        let keyText = Owned.copy(of: key)
        let certificate = Owned(PEM_read_bio_X509(certificateText.pointer, nil, nil, nil), X509_free)
        // Without a callback OpenSSL would ask the terminal for the password of an encrypted key.
        let key = Owned(PEM_read_bio_PrivateKey(keyText.pointer, nil, { _, _, _, _ in -1 }, nil), EVP_PKEY_free)
        guard certificate.pointer != nil, key.pointer != nil else { return false }
        guard X509_check_private_key(certificate.pointer, key.pointer) == 1 else { return false }
        var time = Int(time)
        return X509_cmp_time(X509_get0_notBefore(certificate.pointer), &time) < 0
            && X509_cmp_time(X509_get0_notAfter(certificate.pointer), &time) > 0
    }

    /// How many seconds from now any certificate begins and ceases to hold, before now below 0.
    ///
    /// - Parameter text: PEM; what follows the first certificate is not looked at.
    /// - Returns: nil when the text is no certificate.
    package static func validity(of text: String) -> (begins: Int64, ends: Int64)? {
        defer { ERR_clear_error() }
        let memory = Owned.copy(of: text)
        let certificate = Owned(PEM_read_bio_X509(memory.pointer, nil, nil, nil), X509_free)
        guard certificate.pointer != nil else { return nil }
        func seconds(until time: UnsafePointer<ASN1_TIME>?) -> Int64? {
            var (days, seconds): (Int32, Int32) = (0, 0)
            guard ASN1_TIME_diff(&days, &seconds, nil, time) == 1 else { return nil }
            return Int64(days) * 86_400 + Int64(seconds)
        }
        guard let begins = seconds(until: X509_get0_notBefore(certificate.pointer)),
            let ends = seconds(until: X509_get0_notAfter(certificate.pointer))
        else { return nil }
        return (begins, ends)
    }

    // MARK: - Parts

    /// Random, because clients remember certificates by issuer and serial number, and all of ours have one issuer.
    private static func setSerial(of certificate: OpaquePointer?) throws(CryptoError) {
        var bytes = try randomBytes(16)
        // Positive, and not shorter than it looks.
        bytes[0] = bytes[0] & 0x7F | 0x40
        let number = Owned(BN_bin2bn(bytes, Int32(bytes.count), nil), BN_free)
        let serial = BN_to_ASN1_INTEGER(number.pointer, X509_get_serialNumber(certificate))
        try check(serial != nil, "serial number")
    }

    private static func add(_ kind: Int32, _ value: String, to certificate: OpaquePointer?) throws(CryptoError) {
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, certificate, certificate, nil, nil, 0)
        let made = Owned(X509V3_EXT_nconf_nid(nil, &context, kind, value), X509_EXTENSION_free)
        try check(made.pointer != nil, value)
        try check(X509_add_ext(certificate, made.pointer, -1), value)
    }

    /// What a function of libcrypto writes.
    private static func text(_ write: (OpaquePointer?) -> Int32) throws(CryptoError) -> String {
        let memory = Owned(BIO_new(BIO_s_mem()), BIO_free_all)
        try check(write(memory.pointer), "PEM")
        return String(decoding: memory.content, as: UTF8.self)
    }
}

extension Owned {
    fileprivate static func makeKey() throws(CryptoError) -> Owned {
        let context = Owned(EVP_PKEY_CTX_new_from_name(nil, "EC", nil), EVP_PKEY_CTX_free)
        var key: OpaquePointer?
        try check(EVP_PKEY_keygen_init(context.pointer), "key")
        try check(EVP_PKEY_CTX_set_group_name(context.pointer, "P-256"), "key")
        try check(EVP_PKEY_generate(context.pointer, &key), "key")
        return Owned(key, EVP_PKEY_free)
    }
}

private func check(_ status: Int32, _ part: String) throws(CryptoError) { try check(status > 0, part) }

private func check(_ isDone: Bool, _ part: String) throws(CryptoError) {
    guard !isDone else { return }
    var reason = ""
    if let words = ERR_reason_error_string(ERR_peek_error()) { reason = ": \(String(cString: words))" }
    ERR_clear_error()
    throw .certificateFailed(part + reason)
}
