internal import COpenSSL

extension TLSContext {
    /// A session in its initial state, of the context's side; whoever gets it frees it.
    ///
    /// - Parameter hostName: the server to reach, a name or an IP address (clients only); it is verified unless the context
    ///   says otherwise.
    func makeSession(hostName: String?) throws(TLSError) -> OpaquePointer {
        ERR_clear_error()
        guard let session = SSL_new(context) else { throw .reported("TLS session") }
        if isServer {
            SSL_set_accept_state(session)
            return session
        }
        SSL_set_connect_state(session)
        do throws(TLSError) {
            if let hostName { try setServer(hostName, of: session) }
        } catch {
            SSL_free(session)
            throw error
        }
        return session
    }

    private func setServer(_ hostName: String, of session: OpaquePointer) throws(TLSError) {
        let isAddress = SocketAddress(ip: hostName, port: 0) != nil
        // An address is never sent as a server name (RFC 6066).
        if !isAddress, apus_SSL_set_server_name(session, hostName) != 1 { throw .reported("server name \(hostName)") }
        guard verifiesName else { return }
        if isAddress {
            guard X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), hostName) == 1 else {
                throw .reported("server address \(hostName)")
            }
        } else {
            SSL_set_hostflags(session, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            guard SSL_set1_host(session, hostName) == 1 else { throw .reported("server name \(hostName)") }
        }
    }
}
