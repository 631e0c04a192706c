package import ApusMessage

/// Which instance a server name is for, by what the instances have set (apsaramq-facts 4.4.45).
package struct ServerNameTable: Sendable {
    private var exact: [String: InstanceNumber] = [:]
    /// By the part behind `*.`.
    private var wildcards: [String: InstanceNumber] = [:]

    /// - Parameter configurations: by the number of their instances; a name of two is the first one's.
    package init(_ configurations: [ServerNameConfiguration]) {
        for configuration in configurations {
            for entry in configuration.entries {
                let name = entry.domain.lowercased()
                if name.hasPrefix("*.") {
                    let domain = String(name.dropFirst(2))
                    wildcards[domain] = wildcards[domain] ?? configuration.instance
                } else {
                    exact[name] = exact[name] ?? configuration.instance
                }
            }
        }
    }

    /// - Parameter name: in lower case; an exact name goes before a wildcard, which stands for exactly one label.
    package func instance(for name: String) -> InstanceNumber? {
        if let instance = exact[name] { return instance }
        guard let dot = name.firstIndex(of: "."), dot != name.startIndex else { return nil }
        return wildcards[String(name[name.index(after: dot)...])]
    }
}
