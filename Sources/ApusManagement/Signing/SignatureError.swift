/// Why a request does not prove who sends it; the sentence says what is wrong and what would be right, and holds no secret.
struct SignatureError: Error, Equatable {
    enum Kind: Equatable {
        /// There is no signature at all.
        case missing
        /// A part of it is missing or unreadable.
        case malformed
        case unknownKey
        case disabledKey
        case mismatch
        /// Its time is not within the window.
        case expired
        case replayed
        /// More requests than the server remembers nonces of.
        case overflow
        /// Too many wrong signatures under the key came from the address.
        case slowed(seconds: Int64)
        /// A temporary key, which the service has not.
        case temporaryKey
    }

    var kind: Kind
    var message: String

    init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}
