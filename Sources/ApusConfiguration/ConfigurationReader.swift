/// Gathers values and problems from one source after the other.
struct ConfigurationReader {
    typealias Source = ConfigurationProblem.Source

    var configuration = Configuration()
    var problems: [ConfigurationProblem] = []
    /// Where values came from, by key; of the lists, paths and URLs only.
    var origins: [String: Source] = [:]

    static let listenersKey = "listeners"
    static let tlsHostsKey = "tls.hosts"
    static let settings = Dictionary(uniqueKeysWithValues: Setting.all.map { ($0.key, $0) })
    /// Every dotted key, scalar or list.
    static let keys = Setting.all.map(\.key) + [listenersKey, tlsHostsKey] + loginLists

    mutating func report(_ source: Source, _ key: String, _ reason: String, suggestion: String? = nil) {
        problems.append(ConfigurationProblem(source: source, key: key, reason: reason, suggestion: suggestion))
    }

    mutating func read(_ setting: Setting, _ text: String, _ source: Source) {
        do throws(InvalidValue) {
            try setting.read(text, &configuration)
            origins[setting.key] = source
        } catch {
            report(source, setting.key, error.reason, suggestion: error.suggestion)
        }
    }

    mutating func listener(_ url: String, key: String, _ source: Source) -> Listener? {
        do throws(InvalidValue) {
            return Listener(address: try ListenerAddress(url))
        } catch {
            report(source, key, error.reason, suggestion: error.suggestion)
            return nil
        }
    }

    /// The key that was probably meant: similar as a whole, or right but in the wrong section.
    static func nearestKey(to key: String) -> String? {
        if let similar = nearestName(to: key, among: keys) { return similar }
        let last = key.split(separator: ".").last.map(String.init) ?? key
        let sameEnd = keys.filter { $0.hasSuffix(".\(last)") }
        return sameEnd.count == 1 ? sameEnd[0] : nil
    }

    // MARK: - Environment

    /// Variables that begin with `APUS_` and are no settings: those of the tools.
    private static let otherVariables: Set<String> = [
        "APUS_CONFIG", "APUS_PASSWORD", "APUS_API", "APUS_ACCESS_KEY_ID", "APUS_ACCESS_KEY_SECRET", "APUS_INSTANCE",
    ]

    mutating func read(environment: [String: String]) {
        let variables = Dictionary(uniqueKeysWithValues: Setting.all.map { ($0.environmentVariable, $0) })
        for (variable, value) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix("APUS_") {
            let source = Source.environment(variable: variable)
            if let setting = variables[variable] {
                read(setting, value, source)
            } else if variable == Setting.environmentVariable(of: Self.listenersKey) {
                replaceListeners(with: value.split(separator: ",").map { (String($0), source) })
            } else if variable == Setting.environmentVariable(of: Self.tlsHostsKey) {
                report(source, Self.tlsHostsKey, "can be set in the file only")
            } else if let list = Self.loginLists.first(where: { Setting.environmentVariable(of: $0) == variable }) {
                read(loginList: list, text: value, source)
            } else if !Self.otherVariables.contains(variable), !Self.isFromContainerLinks(variable) {
                let lists = ([Self.listenersKey] + Self.loginLists).map(Setting.environmentVariable)
                let names = (variables.keys + lists).sorted()
                report(source, "", "unknown variable", suggestion: nearestName(to: variable, among: names))
            }
        }
    }

    /// Kubernetes and Docker set such variables in every container beside a service called `apus`.
    ///
    /// They must not keep a broker from starting.
    private static func isFromContainerLinks(_ variable: String) -> Bool {
        variable.hasPrefix("APUS_SERVICE_") || variable == "APUS_PORT" || variable.hasPrefix("APUS_PORT_")
    }

    // MARK: - Command line

    mutating func read(overrides: [ConfigurationOverride]) {
        var urls: [(String, Source)] = []
        for override in overrides {
            let source = Source.commandLine(option: override.option)
            if let setting = Self.settings[override.key] {
                read(setting, override.value, source)
            } else if override.key == Self.listenersKey {
                urls += override.value.split(separator: ",", omittingEmptySubsequences: false)
                    .map { (String($0), source) }
            } else if override.key == Self.tlsHostsKey {
                report(source, Self.tlsHostsKey, "can be set in the file only")
            } else if Self.loginLists.contains(override.key) {
                read(loginList: override.key, text: override.value, source)
            } else {
                report(source, override.key, "unknown key", suggestion: Self.nearestKey(to: override.key))
            }
        }
        if !urls.isEmpty { replaceListeners(with: urls) }
    }

    /// Listeners that are named by their URL only; one that the file describes too keeps the file's description.
    private mutating func replaceListeners(with urls: [(String, Source)]) {
        var listeners: [Listener] = []
        // The places of the list are others from here on.
        origins = origins.filter { !$0.key.hasPrefix("\(Self.listenersKey)[") }
        for (url, source) in urls {
            let url = String(url.drop { $0 == " " })
            guard let new = listener(url, key: Self.listenersKey, source) else { continue }
            origins["\(Self.listenersKey)[\(listeners.count)]"] = source
            listeners.append(configuration.listeners.first { $0.address == new.address } ?? new)
        }
        configuration.listeners = listeners
    }
}
