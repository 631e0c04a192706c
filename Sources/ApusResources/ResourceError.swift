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

    /// The code of the REST API for the audit log, with the field or limit that it is about.
    package var code: String {
        switch kind {
        case .invalid(let field): "Invalid \(field)"
        case .exists: "Exists"
        case .notFound: "NotFound"
        case .overLimit(let limit): "OverLimit \(limit.rawValue)"
        case .inUse: "InUse"
        case .storage: "Internal"
        }
    }
}
