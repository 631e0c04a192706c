internal import COpenSSL

// What a session knows about its peer; meaningful once the handshake is done.
extension TLSSession {
    /// The subject of the peer's verified certificate as RFC 2253 writes it, `CN=device,O=Example`; nil without one.
    package var peerSubject: String? {
        guard let certificate = SSL_get0_peer_certificate(session), let text = BIO_new(BIO_s_mem()) else { return nil }
        defer { BIO_free(text) }
        let flags = UInt(XN_FLAG_RFC2253_BITS)
        guard X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, flags) >= 0 else { return nil }
        var subject: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 512)
        while true {
            let count = BIO_read(text, &part, Int32(part.count))
            guard count > 0 else { break }
            subject.append(contentsOf: part[..<Int(count)])
        }
        return String(decoding: subject, as: UTF8.self)
    }

    /// Whether the peer's certificate, if there is one, verifies by the authorities that the context was made with.
    ///
    /// Whoever may register an authority can have it write any subject, so that only then the subject says who the peer is.
    package var isPeerOfConfiguredAuthority: Bool { certificateFault == nil && peerTrust == .configured }

    /// The peer's certificate in DER, verified unless there is a ``certificateFault``; nil without one.
    package var peerCertificate: [UInt8]? {
        guard let certificate = SSL_get0_peer_certificate(session) else { return nil }
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = i2d_X509(certificate, &bytes)
        guard count > 0, let bytes else { return nil }
        defer { CRYPTO_free(bytes, #file, #line) }
        return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }

    /// The first common name of the peer's verified certificate; nil if there is none or it holds a NUL.
    package var peerCommonName: String? {
        guard
            let certificate = SSL_get0_peer_certificate(session),
            let name = X509_get_subject_name(certificate)
        else { return nil }
        let index = X509_NAME_get_index_by_NID(name, NID_commonName, -1)
        guard index >= 0, let entry = X509_NAME_get_entry(name, index) else { return nil }
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(entry))
        guard count >= 0, let bytes else { return nil }
        defer { CRYPTO_free(bytes, #file, #line) }
        let text = UnsafeBufferPointer(start: bytes, count: Int(count))
        return text.contains(0) ? nil : String(decoding: text, as: UTF8.self)
    }

    /// The server name that the client asked for.
    package var serverName: String? {
        SSL_get_servername(session, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
    }

    /// `TLSv1.2` or `TLSv1.3`.
    package var protocolVersion: String { String(cString: SSL_get_version(session)) }

    /// The cipher suite, such as `TLS_AES_256_GCM_SHA384`.
    package var cipher: String {
        guard let name = SSL_CIPHER_get_name(SSL_get_current_cipher(session)) else { return "none" }
        return String(cString: name)
    }

    /// What ALPN agreed on.
    package var applicationProtocol: String? {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(session, &name, &length)
        guard let name, length > 0 else { return nil }
        return String(decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
    }
}
