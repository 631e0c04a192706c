package import ApusMessage

/// A rule broken, or a thing that is not there.
package struct ResourceError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: Sendable, Equatable {
        /// The field's value breaks a rule.
        case invalid(field: String)
        case exists
        case notFound
        case overLimit(InstanceLimits.Name)
        /// Something still needs it.
        case inUse
        /// The catalog cannot be written; nothing has changed.
        case storage
    }

    package var kind: Kind
    /// What is wrong, and what would be right.
    package var message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }

    /// One word for the audit log.
    package var code: String {
        switch kind {
        case .invalid(let field): "invalid \(field)"
        case .exists: "exists"
        case .notFound: "notFound"
        case .overLimit(let limit): "overLimit \(limit.rawValue)"
        case .inUse: "inUse"
        case .storage: "storage"
        }
    }
}
