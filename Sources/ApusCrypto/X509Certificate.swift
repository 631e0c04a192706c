internal import COpenSSL

/// A certificate as far as it is of interest for who may connect.
package final class X509Certificate: @unchecked Sendable {
    // Unchecked: libcrypto locks what it caches in a certificate, and nothing here changes one after its making.
    private let certificate: OpaquePointer

    /// The first certificate of a PEM text; `nil` when there is none.
    package convenience init?(pem: String) {
        defer { ERR_clear_error() }
        let memory = Owned.copy(of: pem)
        self.init(PEM_read_bio_X509(memory.pointer, nil, nil, nil))
    }

    /// The certificate of these bytes; `nil` when they are none.
    package convenience init?(der: [UInt8]) {
        defer { ERR_clear_error() }
        let memory = Owned.copy(of: der)
        self.init(d2i_X509_bio(memory.pointer, nil))
    }

    private init?(_ certificate: OpaquePointer?) {
        guard let certificate else { return nil }
        self.certificate = certificate
    }

    deinit { X509_free(certificate) }

    /// Upper-case hexadecimal digits, two a byte, as OpenSSL's tools show it; a minus before a negative one.
    package var serialNumber: String {
        guard let number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nil) else { return "" }
        defer { BN_free(number) }
        guard let text = BN_bn2hex(number) else { return "" }
        defer { CRYPTO_free(text, #file, #line) }
        return String(cString: text)
    }

    /// RFC 2253 text, `CN=device,O=Example`.
    package var subject: String {
        let memory = Owned(BIO_new(BIO_s_mem()), BIO_free_all)
        let flags = UInt(XN_FLAG_RFC2253_BITS)
        guard X509_NAME_print_ex(memory.pointer, X509_get_subject_name(certificate), 0, flags) >= 0 else { return "" }
        return String(decoding: memory.content, as: UTF8.self)
    }

    /// The first common name of the subject; `nil` when there is none or it holds a NUL.
    package var commonName: String? {
        guard let name = X509_get_subject_name(certificate) else { return nil }
        let index = X509_NAME_get_index_by_NID(name, NID_commonName, -1)
        guard index >= 0, let entry = X509_NAME_get_entry(name, index) else { return nil }
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(entry))
        guard count >= 0, let bytes else { return nil }
        defer { CRYPTO_free(bytes, #file, #line) }
        let text = UnsafeBufferPointer(start: bytes, count: Int(count))
        return text.contains(0) ? nil : String(decoding: text, as: UTF8.self)
    }

    package var pem: String {
        let memory = Owned(BIO_new(BIO_s_mem()), BIO_free_all)
        guard PEM_write_bio_X509(memory.pointer, certificate) == 1 else { return "" }
        return String(decoding: memory.content, as: UTF8.self)
    }

    /// Unix milliseconds from and until which it holds; `nil` when the times cannot be read.
    package var validity: (from: Int64, until: Int64)? {
        guard let from = Self.milliseconds(X509_get0_notBefore(certificate)),
            let until = Self.milliseconds(X509_get0_notAfter(certificate))
        else { return nil }
        return (from, until)
    }

    /// Whether it may sign others.
    package var isAuthority: Bool { X509_check_ca(certificate) > 0 }

    /// Whether the other certificate's key made the signature of this one, and its subject is the issuer of this one.
    package func isIssued(by issuer: X509Certificate) -> Bool {
        defer { ERR_clear_error() }
        guard X509_check_issued(issuer.certificate, certificate) == X509_V_OK else { return false }
        return X509_verify(certificate, X509_get0_pubkey(issuer.certificate)) == 1
    }

    private static func milliseconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        guard let epoch = ASN1_TIME_set(nil, 0) else { return nil }
        defer { ASN1_TIME_free(epoch) }
        var (days, seconds): (Int32, Int32) = (0, 0)
        guard ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else { return nil }
        return (Int64(days) * 86_400 + Int64(seconds)) * 1000
    }
}
