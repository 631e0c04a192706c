internal import COpenSSL

/// Which context serves which server name.
final class TLSNames: @unchecked Sendable {
    // @unchecked: constants only; the contexts are kept alive by the `TLSContext` that owns this table.

    private struct Context: @unchecked Sendable { let pointer: OpaquePointer }

    private let contexts: TLSHostNames<Context>

    /// - Parameter hostNames: one list a context.
    init(_ hostNames: [[String]], contexts: [OpaquePointer]) {
        var table = TLSHostNames<Context>()
        for (names, context) in zip(hostNames, contexts) {
            for name in names { table.add(name, Context(pointer: context)) }
        }
        self.contexts = table
    }

    func context(for name: String) -> OpaquePointer? { contexts.value(for: name)?.pointer }
}

/// OpenSSL asks during the handshake, on the session's thread; `table` is the `TLSNames` of its context.
///
/// What the listener has for a name goes before what is registered for it.
func chooseContext(
    _ session: OpaquePointer?,
    _ alert: UnsafeMutablePointer<Int32>?,
    _ table: UnsafeMutableRawPointer?,
) -> Int32 {
    guard let session, let table, let text = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name) else {
        return SSL_TLSEXT_ERR_NOACK
    }
    let name = String(cString: text)
    if let context = Unmanaged<TLSNames>.fromOpaque(table).takeUnretainedValue().context(for: name) {
        SSL_set_SSL_CTX(session, context)
        return SSL_TLSEXT_ERR_OK
    }
    guard
        let registered = TLSSession.of(session)?.context.registeredCertificates?.certificate(for: name),
        !isInCertificate(of: session, name),
        registered.show(in: session)
    else { return SSL_TLSEXT_ERR_NOACK }
    return SSL_TLSEXT_ERR_OK
}

/// Whether the certificate that a session would show has exactly this name: then clients that ask for it want this one.
private func isInCertificate(of session: OpaquePointer, _ name: String) -> Bool {
    guard let certificate = SSL_get_certificate(session) else { return false }
    let flags = UInt32(X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)
    return X509_check_host(certificate, name, name.utf8.count, flags, nil) == 1
}

/// Takes `mqtt` or `http/1.1` of what the client offers; a client that offers only other names is served without.
func chooseApplicationProtocol(
    _ session: OpaquePointer?,
    _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ chosenLength: UnsafeMutablePointer<UInt8>?,
    _ offered: UnsafePointer<UInt8>?,
    _ offeredLength: UInt32,
    _ argument: UnsafeMutableRawPointer?,
) -> Int32 {
    guard let chosen, let chosenLength, let offered else { return SSL_TLSEXT_ERR_NOACK }
    let list = UnsafeBufferPointer(start: offered, count: Int(offeredLength))
    for wanted in ["mqtt", "http/1.1"] {
        var index = 0
        while index < list.count {
            let start = index + 1
            let end = start + Int(list[index])
            guard end <= list.count else { break }
            if list[start..<end].elementsEqual(wanted.utf8) {
                // Points into the client's list, which OpenSSL keeps until it has copied the choice.
                chosen.pointee = offered + start
                chosenLength.pointee = list[index]
                return SSL_TLSEXT_ERR_OK
            }
            index = end
        }
    }
    return SSL_TLSEXT_ERR_NOACK
}
