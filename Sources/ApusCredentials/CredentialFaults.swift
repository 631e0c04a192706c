/// What is wrong with the lines of a file: the first faults with their places, and how many there are.
package struct CredentialFaults: Sendable {
    /// In the order of the lines; at most `bound`.
    package private(set) var first: [CredentialError] = []
    package private(set) var count = 0
    /// A file that was never meant to be one has a fault in each line.
    package static let bound = 20

    mutating func note(_ fault: CredentialError) {
        count += 1
        if first.count < Self.bound { first.append(fault) }
    }

    func throwFirst() throws(CredentialError) {
        if let fault = first.first { throw fault }
    }
}
