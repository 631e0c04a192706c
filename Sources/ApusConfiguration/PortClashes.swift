// Two that would listen in one place, which the system lets only one of them do.
extension Configuration {
    /// A place that is listened on, and the setting that says so.
    private struct Place {
        let key: String
        let name: String
        let host: String
        let port: UInt16
        /// Whether the address `::` also takes connections of IPv4.
        let takesBoth: Bool

        func clashes(with other: Place) -> Bool {
            guard port == other.port else { return false }
            let (mine, others) = (Self.address(host), Self.address(other.host))
            if mine == others || takesBoth && mine.isAny6 || other.takesBoth && others.isAny6 { return true }
            return mine.isAny(beside: others) || others.isAny(beside: mine)
        }

        /// An address is written in several ways; of a name it is not known which addresses it has.
        private enum Address: Equatable {
            case bytes([UInt8])
            case name(String)

            var isAny6: Bool { self == .bytes([UInt8](repeating: 0, count: 16)) }

            /// Whether it stands for every address of this machine that the other could be.
            func isAny(beside other: Address) -> Bool {
                guard case .bytes(let bytes) = self, bytes.allSatisfy({ $0 == 0 }) else { return false }
                guard case .bytes(let others) = other else { return true }
                return bytes.count == others.count
            }
        }

        private static func address(_ host: String) -> Address {
            let host = host.lowercased()
            // The older one is taken, by listeners and by the API.
            if host == "localhost" { return .bytes([127, 0, 0, 1]) }
            return (IPAddress(v4: host[...]) ?? IPAddress(v6: host[...])).map { .bytes($0.bytes) } ?? .name(host)
        }
    }

    /// Listeners, and the management API, of one port at one address; port 0 becomes another each time.
    func clashProblems() -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        var places: [Place] = []
        var paths: Set<String> = []
        func add(_ place: Place) {
            if let other = places.first(where: { $0.clashes(with: place) }) {
                let reason =
                    "`\(place.name)`: port \(place.port) there belongs to \(other.key), `\(other.name)`; give one of "
                    + "them another"
                problems.append(ConfigurationProblem(source: .combination, key: place.key, reason: reason))
            }
            places.append(place)
        }
        for (index, listener) in listeners.enumerated() {
            let (key, address) = ("\(ConfigurationReader.listenersKey)[\(index)]", listener.address)
            if address.scheme == .unix {
                guard !paths.insert(address.path).inserted else { continue }
                let reason = "`\(listener.name)`: another listener is there already"
                problems.append(ConfigurationProblem(source: .combination, key: key, reason: reason))
            } else if address.port != 0 {
                add(Place(key: key, name: listener.name, host: address.host, port: address.port, takesBoth: false))
            }
        }
        if let url = api.listen, let endpoint = try? HTTPEndpoint(url), endpoint.port != 0 {
            add(Place(key: "api.listen", name: url, host: endpoint.host, port: endpoint.port, takesBoth: true))
        }
        return problems
    }
}
