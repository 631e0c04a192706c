internal import ApusLocks
internal import COpenSSL

/// Certificates, keys and rules for TLS sessions of one side.
///
/// Immutable once made; any thread may make sessions from it. To reload, make a new one and put it into the
/// `TLSContextBox`: live sessions keep theirs.
package final class TLSContext: @unchecked Sendable {
    // @unchecked: the pointers are set in init only, OpenSSL counts references to an SSL_CTX atomically, and the names
    // are a constant.

    let isServer: Bool
    /// Whether sessions verify the server's name (clients only).
    let verifiesName: Bool
    let clientCertificates: TLSClientCertificates
    let registeredAuthorities: TLSAuthorities?
    let registeredCertificates: TLSServerCertificates?
    /// The context of the first identity, then those of the others.
    private let contexts: [OpaquePointer]
    private let names: TLSNames

    var context: OpaquePointer { contexts[0] }

    package init(server configuration: TLSServerConfiguration) throws(TLSError) {
        isServer = true
        verifiesName = false
        clientCertificates = configuration.clientCertificates
        registeredAuthorities = configuration.registeredAuthorities
        registeredCertificates = configuration.registeredCertificates
        guard !configuration.identities.isEmpty else { throw TLSError("TLS server: no certificate") }
        var made = OwnedContexts()
        for identity in configuration.identities {
            let context = try made.add(server: true)
            try Self.configure(context, with: configuration)
            try Self.use(identity, in: context)
        }
        names = TLSNames(configuration.identities.map(\.hostNames), contexts: made.contexts)
        contexts = made.take()
        let table = Unmanaged.passUnretained(names).toOpaque()
        // The table lives as long as this object, and every session holds this object.
        apus_SSL_CTX_set_servername_callback(contexts[0], chooseContext, table)
    }

    package init(client configuration: TLSClientConfiguration) throws(TLSError) {
        isServer = false
        verifiesName = !configuration.isInsecure
        clientCertificates = .none
        registeredAuthorities = nil
        registeredCertificates = nil
        var made = OwnedContexts()
        let context = try made.add(server: false)
        if configuration.isInsecure {
            SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        } else {
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
            if let file = configuration.authorityFile {
                try Self.loadAuthorities(file, into: context)
            } else if SSL_CTX_set_default_verify_paths(context) != 1 {
                throw .reported("certificate authorities of the system")
            }
        }
        if configuration.isLimitedToTLS12 { apus_SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION) }
        if let identity = configuration.identity { try Self.use(identity, in: context) }
        let offered = try Self.encode(configuration.applicationProtocols)
        if !offered.isEmpty, SSL_CTX_set_alpn_protos(context, offered, UInt32(offered.count)) != 0 {
            throw .reported("application protocols")
        }
        names = TLSNames([], contexts: [])
        contexts = made.take()
    }

    deinit {
        for context in contexts { SSL_CTX_free(context) }
    }

    // MARK: - Rules

    private static func configure(
        _ context: OpaquePointer,
        with configuration: TLSServerConfiguration,
    ) throws(TLSError) {
        if configuration.requiresTLS13, apus_SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 {
            throw .reported("TLS 1.3")
        }
        SSL_CTX_set_alpn_select_cb(context, chooseApplicationProtocol, nil)
        // Tickets resume sessions without memory here; one is enough.
        _ = SSL_CTX_set_num_tickets(context, 1)
        // A resumed session with a client certificate must name the same kind of server.
        let identifier: [UInt8] = Array("apus".utf8)
        _ = SSL_CTX_set_session_id_context(context, identifier, UInt32(identifier.count))
        if configuration.registeredAuthorities != nil { trustRegisteredAuthorities(in: context) }
        switch configuration.clientCertificates {
        case .none, .whileRegistered:
            SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
            return
        case .optional:
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        case .required:
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        }
        guard let file = configuration.clientAuthorityFile else {
            if configuration.registeredAuthorities != nil { return }
            throw TLSError("client certificates: no file of certificate authorities")
        }
        try loadAuthorities(file, into: context)
        guard let list = SSL_load_client_CA_file(file) else { throw .reported("certificate authorities \(file)") }
        SSL_CTX_set_client_CA_list(context, list)
    }

    private static func loadAuthorities(_ file: String, into context: OpaquePointer) throws(TLSError) {
        ERR_clear_error()
        guard SSL_CTX_load_verify_file(context, file) == 1 else {
            throw .reported("certificate authorities \(file)")
        }
    }

    private static func use(_ identity: TLSIdentity, in context: OpaquePointer) throws(TLSError) {
        ERR_clear_error()
        guard SSL_CTX_use_certificate_chain_file(context, identity.certificateFile) == 1 else {
            throw .reported("certificate \(identity.certificateFile)")
        }
        guard SSL_CTX_use_PrivateKey_file(context, identity.keyFile, SSL_FILETYPE_PEM) == 1 else {
            throw .reported("key \(identity.keyFile)")
        }
        guard SSL_CTX_check_private_key(context) == 1 else {
            throw .reported("key \(identity.keyFile) does not fit certificate \(identity.certificateFile)")
        }
    }

    /// The wire form of ALPN: each name behind its length.
    private static func encode(_ protocols: [String]) throws(TLSError) -> [UInt8] {
        var encoded: [UInt8] = []
        for name in protocols {
            guard let length = UInt8(exactly: name.utf8.count), length > 0 else {
                throw TLSError("application protocol “\(name)”: 1 to 255 bytes")
            }
            encoded.append(length)
            encoded.append(contentsOf: name.utf8)
        }
        return encoded
    }
}

/// Contexts under construction, freed if making them fails half-way.
private struct OwnedContexts: ~Copyable {
    private(set) var contexts: [OpaquePointer] = []

    mutating func add(server: Bool) throws(TLSError) -> OpaquePointer {
        ERR_clear_error()
        guard let context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()) else {
            throw .reported("TLS context")
        }
        contexts.append(context)
        guard
            apus_SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1,
            // Forward secrecy and authenticated encryption only; TLS 1.3 suites are all of that kind.
            SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL") == 1
        else { throw .reported("TLS context") }
        // Partial writes let a large queue go out record by record; the queue's chunks may move between two tries.
        // Released buffers keep idle connections small.
        apus_SSL_CTX_set_mode(
            context,
            Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS),
        )
        // A peer that closes without a goodbye is the end of the stream: MQTT frames its packets, so nothing is faked.
        SSL_CTX_set_options(
            context,
            SSL_OP_NO_RENEGOTIATION_BIT | SSL_OP_NO_COMPRESSION_BIT | SSL_OP_CIPHER_SERVER_PREFERENCE_BIT
                | SSL_OP_IGNORE_UNEXPECTED_EOF_BIT,
        )
        apus_SSL_CTX_disable_session_cache(context)
        // One system call brings header and body of a record, and further records.
        apus_SSL_CTX_set_read_ahead(context)
        // Without this OpenSSL asks for the password of an encrypted key on the terminal.
        SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in 0 }
        return context
    }

    mutating func take() -> [OpaquePointer] {
        let taken = contexts
        contexts = []
        return taken
    }

    deinit {
        for context in contexts { SSL_CTX_free(context) }
    }
}

/// The current context of a listener, replaced as a whole by a reload.
package final class TLSContextBox: Sendable {
    private let box: Guarded<TLSContext>

    package init(_ context: TLSContext) { box = Guarded(context) }

    /// For new connections; live ones keep the context that they have.
    package var current: TLSContext { box.withLock { $0 } }

    package func replace(with context: TLSContext) {
        box.withLock { $0 = context }
    }
}
