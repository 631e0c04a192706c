internal import COpenSSL

// How client certificates are verified where authorities may be registered: OpenSSL's own way, with a second place to
// look for issuers.

extension TLSContext {
    /// Lets sessions of the context look among registered authorities for what its file does not have.
    static func trustRegisteredAuthorities(in context: OpaquePointer) {
        let store = SSL_CTX_get_cert_store(context)
        X509_STORE_set_get_issuer(store, findIssuer)
        // A registered authority is trusted for itself, also where another one has issued it.
        _ = X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        SSL_CTX_set_session_ticket_cb(context, nil, judgeTicket, nil)
    }
}

extension TLSSession {
    /// Asks for a client certificate as the context and what is registered at this moment demand.
    func askForCertificate() {
        guard context.isServer, let authorities = context.registeredAuthorities, !authorities.isEmpty else { return }
        switch context.clientCertificates {
        case .none:
            break
        case .whileRegistered:
            SSL_set_verify(session, SSL_VERIFY_PEER, noteFault)
        case .optional, .required:
            // All names may be more than a message holds, some would keep clients of the others from showing theirs, and
            // who has registered authorities is nobody's business.
            SSL_set_client_CA_list(session, OPENSSL_sk_new_null())
        }
    }

    /// The session of which OpenSSL speaks in a callback; nil on the client's side.
    static func of(_ session: OpaquePointer) -> TLSSession? {
        SSL_get_ex_data(session, 0).map { Unmanaged<TLSSession>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Likewise, of the verification that it asked for.
    fileprivate static func verifying(_ verification: OpaquePointer) -> TLSSession? {
        X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()).flatMap { of(OpaquePointer($0)) }
    }
}

/// Finds the issuer of a certificate in the context's file, then among the registered authorities.
///
/// Of several with one name it is the one whose key made the signature: an authority that somebody else has registered
/// under the same name must not stand in the way. (OpenSSL's own search looks at names only.)
///
/// - Returns: 1 and a reference in `found`; 0 when there is none; negative when it failed.
private func findIssuer(
    _ found: UnsafeMutablePointer<OpaquePointer?>?,
    _ verification: OpaquePointer?,
    _ certificate: OpaquePointer?,
) -> Int32 {
    guard let found, let verification, let certificate else { return -1 }
    let result = X509_STORE_CTX_get1_issuer(found, verification, certificate)
    guard result >= 0 else { return result }
    if result > 0, let issuer = found.pointee, isIssued(certificate, by: issuer) { return result }
    guard
        let session = TLSSession.verifying(verification),
        let issuer = session.context.registeredAuthorities?.issuer(of: certificate)
    else { return result }
    if result > 0 { X509_free(found.pointee) }
    found.pointee = issuer
    session.peerTrust = .registered
    return 1
}

/// Lets the handshake go on with a certificate that does not verify, and notes why.
private func noteFault(_ isGood: Int32, _ verification: OpaquePointer?) -> Int32 {
    guard isGood == 0, let verification else { return 1 }
    let session = TLSSession.verifying(verification)
    guard let session, session.certificateFault == nil else { return 1 }
    session.certificateFault =
        X509_verify_cert_error_string(Int(X509_STORE_CTX_get_error(verification)))
        .map { String(cString: $0) } ?? "it does not verify"
    return 1
}

/// Resumes no session with a client certificate: nothing would look whether its authority still counts, and whose it was.
private func judgeTicket(
    _ session: OpaquePointer?,
    _ resumed: OpaquePointer?,
    _ keyName: UnsafePointer<UInt8>?,
    _ keyNameLength: Int,
    _ status: SSL_TICKET_STATUS,
    _ argument: UnsafeMutableRawPointer?,
) -> SSL_TICKET_RETURN {
    switch status {
    case SSL_TICKET_SUCCESS, SSL_TICKET_SUCCESS_RENEW:
        guard let resumed, SSL_SESSION_get0_peer(resumed) == nil else { return SSL_TICKET_RETURN_IGNORE_RENEW }
        return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW
    default:
        return SSL_TICKET_RETURN_IGNORE_RENEW
    }
}
