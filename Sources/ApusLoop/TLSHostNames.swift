/// Values by server name: exact names, and `*.example.org` for one label in front.
struct TLSHostNames<Value: Sendable>: Sendable {
    private var exact: [String: Value] = [:]
    /// By the part behind `*.`.
    private var wildcards: [String: Value] = [:]

    /// A name that has a value keeps it.
    mutating func add(_ name: String, _ value: Value) {
        let name = name.lowercased()
        if name.hasPrefix("*.") {
            let domain = String(name.dropFirst(2))
            wildcards[domain] = wildcards[domain] ?? value
        } else {
            exact[name] = exact[name] ?? value
        }
    }

    /// The value for a name; an exact name goes before a wildcard, which stands for exactly one label.
    func value(for name: String) -> Value? {
        let name = name.lowercased()
        if let value = exact[name] { return value }
        guard let dot = name.firstIndex(of: "."), dot != name.startIndex else { return nil }
        return wildcards[String(name[name.index(after: dot)...])]
    }
}
