internal import ApusLocks
internal import COpenSSL

/// Authorities of client certificates that come and go while sessions are made, beside those of a listener's file.
///
/// They are looked at in each handshake, so that nothing is made anew when one of thousands changes. Each takes the bytes
/// of its certificate; it is parsed when a client's certificate names it as its issuer.
package final class TLSAuthorities: Sendable {
    /// An authority as whoever registers it knows it.
    package struct Key: Sendable, Hashable {
        /// Who registered it.
        package var owner: UInt32
        /// Its name among those of the owner.
        package var name: String

        package init(owner: UInt32, name: String) {
            self.owner = owner
            self.name = name
        }
    }

    private struct Table {
        /// Certificates in DER by OpenSSL's hash of their subjects, which need not be unique.
        var bySubject: [UInt: [Key: [UInt8]]] = [:]
        var subjects: [Key: UInt] = [:]

        mutating func remove(_ key: Key) {
            guard let subject = subjects.removeValue(forKey: key) else { return }
            bySubject[subject]?[key] = nil
            if bySubject[subject]?.isEmpty == true { bySubject[subject] = nil }
        }
    }

    private let table = Guarded(Table())

    /// How many authorities of one owner with one subject are tried: with as many as it likes, an owner could keep
    /// handshakes busy.
    static let triedOfOneOwner = 8

    package init() {}

    package var isEmpty: Bool { table.withLock { $0.subjects.isEmpty } }

    /// Adds an authority, or puts it in the place of the one with this key.
    ///
    /// - Parameter pem: its certificate; what follows the first one is not looked at.
    /// - Throws: when there is no certificate in it; then the key has none.
    package func put(_ key: Key, pem: String) throws(TLSError) {
        remove(key)
        ERR_clear_error()
        let text = Array(pem.utf8)
        guard let memory = BIO_new(BIO_s_mem()) else { throw .reported("certificate authority \(key.name)") }
        defer { BIO_free(memory) }
        _ = BIO_write(memory, text, Int32(clamping: text.count))
        guard let certificate = PEM_read_bio_X509(memory, nil, nil, nil) else {
            throw .reported("certificate authority \(key.name)")
        }
        defer { X509_free(certificate) }
        let bytes = Self.bytes(of: certificate)
        let subject = Self.hash(X509_get_subject_name(certificate))
        guard !bytes.isEmpty, let subject else { throw .reported("certificate authority \(key.name)") }
        table.withLock { table in
            table.bySubject[subject, default: [:]][key] = bytes
            table.subjects[key] = subject
        }
    }

    package func remove(_ key: Key) { table.withLock { $0.remove(key) } }

    /// Removes all that an owner has registered.
    package func removeAll(of owner: UInt32) {
        table.withLock { table in
            for key in table.subjects.keys.filter({ $0.owner == owner }) { table.remove(key) }
        }
    }

    /// The authority whose key made the signature of a certificate; the caller owns a reference.
    func issuer(of certificate: OpaquePointer) -> OpaquePointer? {
        guard let subject = Self.hash(X509_get_issuer_name(certificate)) else { return nil }
        let candidates = table.withLock { $0.bySubject[subject] } ?? [:]
        var tried: [UInt32: Int] = [:]
        for (key, bytes) in candidates.sorted(by: { $0.key.name < $1.key.name }) {
            guard tried[key.owner, default: 0] < Self.triedOfOneOwner else { continue }
            tried[key.owner, default: 0] += 1
            guard let issuer = Self.parse(bytes) else { continue }
            if isIssued(certificate, by: issuer) { return issuer }
            X509_free(issuer)
        }
        return nil
    }

    // MARK: - Certificates

    private static func hash(_ name: OpaquePointer?) -> UInt? {
        var isHashed: Int32 = 0
        let hash = X509_NAME_hash_ex(name, nil, nil, &isHashed)
        return isHashed == 1 ? hash : nil
    }

    private static func bytes(of certificate: OpaquePointer) -> [UInt8] {
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = i2d_X509(certificate, &bytes)
        guard count > 0, let bytes else { return [] }
        defer { CRYPTO_free(bytes, #file, #line) }
        return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }

    private static func parse(_ bytes: [UInt8]) -> OpaquePointer? {
        bytes.withUnsafeBufferPointer { buffer in
            var start = buffer.baseAddress
            return d2i_X509(nil, &start, buffer.count)
        }
    }
}

extension TLSAuthorities: Equatable {
    package static func == (one: TLSAuthorities, other: TLSAuthorities) -> Bool { one === other }
}

/// Whether the subject of the issuer is the certificate's issuer, and its key made the signature.
func isIssued(_ certificate: OpaquePointer, by issuer: OpaquePointer) -> Bool {
    guard X509_check_issued(issuer, certificate) == X509_V_OK else { return false }
    defer { ERR_clear_error() }
    return X509_verify(certificate, X509_get0_pubkey(issuer)) == 1
}
