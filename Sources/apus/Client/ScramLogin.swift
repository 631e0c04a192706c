internal import ApusCredentials

/// The steps of SCRAM-SHA-256 over connections that come one after another.
///
/// The first message is the same each time, since it stands in the CONNECT that the machine repeats; the server's part of
/// the nonce is new with each connection.
struct ScramLogin {
    static let method = "SCRAM-SHA-256"

    private let fresh: ScramClient
    private var current: ScramClient

    init(user: String, password: [UInt8], nonce: String) {
        fresh = ScramClient(userName: user, password: password, nonce: nonce)
        current = fresh
    }

    var first: [UInt8] { fresh.first }

    mutating func begin() { current = fresh }

    mutating func answer(_ challenge: [UInt8]) throws(ScramClientError) -> [UInt8] { try current.challenged(challenge) }

    /// Throws when the broker has not proved that it knows the password too.
    mutating func finish(_ data: [UInt8]?) throws(ScramClientError) { try current.finished(data ?? []) }
}
