/// The domains by which a service is reached; `<instance id>.<domain>` is an instance's own name.
package struct ServiceDomains: Sendable, Equatable {
    /// In lower case.
    package let all: [String]

    /// - Parameter text: Domains with spaces between.
    package init(_ text: String) { all = text.split(separator: " ").map { $0.lowercased() } }

    package func names(ofInstance id: String) -> [String] { all.map { "\(id.lowercased()).\($0)" } }

    /// Whether a server name, in lower case, cannot be an instance's to set: it is the service's or another instance's.
    package func reserves(_ name: String, fromInstance id: String) -> Bool {
        guard !names(ofInstance: id).contains(name) else { return false }
        return all.contains { name == $0 || name.hasSuffix(".\($0)") }
    }
}
