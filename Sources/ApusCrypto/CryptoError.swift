/// Why libcrypto did not do what it was asked.
package enum CryptoError: Error, Equatable, CustomStringConvertible {
    /// The system has no randomness to give; nothing that needs a secret may go on.
    case noRandomness
    /// Parameters that the algorithm does not have, or more memory than it may take.
    case keyDerivationFailed(String)
    /// The part of a certificate that could not be made, and why.
    case certificateFailed(String)

    package var description: String {
        switch self {
        case .noRandomness: "the system's random generator failed"
        case .keyDerivationFailed(let algorithm): "\(algorithm) refused its parameters or had too little memory"
        case .certificateFailed(let reason): "no certificate can be made: \(reason)"
        }
    }
}
