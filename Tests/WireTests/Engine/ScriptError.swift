/// Why a script failed: the broker's fault, or the script's own.
enum ScriptError: Error, CustomStringConvertible {
    /// The script itself makes no sense.
    case badScript(String)
    /// The broker did something else than expected.
    case unexpected(String)
    /// The broker sent bytes that are no MQTT packet.
    case malformed(String)
    /// Nothing came within the deadline.
    case timedOut(String)
    /// The machine refused something.
    case system(String)

    var description: String {
        switch self {
        case .badScript(let what): "the script is wrong: \(what)"
        case .unexpected(let what): what
        case .malformed(let what): "the broker sent a malformed packet: \(what)"
        case .timedOut(let what): "timed out: \(what)"
        case .system(let what): "system: \(what)"
        }
    }
}
