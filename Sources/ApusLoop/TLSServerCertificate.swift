internal import COpenSSL

/// A server's certificate with its chain and key, ready to be shown in any session.
package final class TLSServerCertificate: @unchecked Sendable {
    // @unchecked: OpenSSL counts references atomically, and nothing here changes the objects after their making.

    private let certificate: OpaquePointer
    private let key: OpaquePointer
    /// The certificates that lead to the root; nil for none.
    private let chain: OpaquePointer?

    /// - Parameter password: of the key; empty for a key without one.
    /// - Throws: when a file cannot be used, or the key does not fit the certificate.
    package init(_ identity: TLSIdentity, password: String = "") throws(TLSError) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_server_method()) else { throw .reported("TLS context") }
        // The objects have their own references below.
        defer { SSL_CTX_free(context) }
        try Self.load(identity, password, into: context)
        guard let certificate = SSL_CTX_get0_certificate(context), let key = SSL_CTX_get0_privatekey(context) else {
            throw .reported("certificate \(identity.certificateFile)")
        }
        X509_up_ref(certificate)
        EVP_PKEY_up_ref(key)
        self.certificate = certificate
        self.key = key
        chain = apus_SSL_CTX_get0_chain(context).flatMap { X509_chain_up_ref($0) }
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
        if let chain { apus_X509_chain_free(chain) }
    }

    private static func load(
        _ identity: TLSIdentity,
        _ password: String,
        into context: OpaquePointer,
    ) throws(TLSError) {
        guard SSL_CTX_use_certificate_chain_file(context, identity.certificateFile) == 1 else {
            throw .reported("certificate \(identity.certificateFile)")
        }
        let result = password.withCString { text in
            // Without a callback OpenSSL asks for the password on the terminal.
            SSL_CTX_set_default_passwd_cb(context, copyPassword)
            SSL_CTX_set_default_passwd_cb_userdata(context, UnsafeMutableRawPointer(mutating: text))
            return SSL_CTX_use_PrivateKey_file(context, identity.keyFile, SSL_FILETYPE_PEM)
        }
        guard result == 1 else { throw .reported("key \(identity.keyFile)") }
        guard SSL_CTX_check_private_key(context) == 1 else {
            throw .reported("key \(identity.keyFile) does not fit certificate \(identity.certificateFile)")
        }
    }

    /// Shows it in place of the certificates that the session has; the session takes references of its own.
    func show(in session: OpaquePointer) -> Bool {
        // One of another kind of key could be chosen otherwise.
        SSL_certs_clear(session)
        let isDone = SSL_use_cert_and_key(session, certificate, key, chain, 1) == 1
        if !isDone { ERR_clear_error() }
        return isDone
    }
}

/// Gives OpenSSL the password in `text`, a C string; one that does not fit is a wrong one.
private func copyPassword(
    _ buffer: UnsafeMutablePointer<CChar>?,
    _ size: Int32,
    _ isWriting: Int32,
    _ text: UnsafeMutableRawPointer?,
) -> Int32 {
    guard let buffer, let text else { return 0 }
    let password = text.assumingMemoryBound(to: CChar.self)
    var count = 0
    while password[count] != 0 {
        guard count < Int(size) else { return 0 }
        buffer[count] = password[count]
        count += 1
    }
    return Int32(count)
}
