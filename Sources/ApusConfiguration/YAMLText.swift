internal import Yams

/// Where YAML text stands: a file with lines, or the value of a variable or an option.
enum YAMLText {
    case file(String)
    case value(ConfigurationProblem.Source)

    /// The place of a node, as far as it is known.
    func source(_ mark: Mark?) -> ConfigurationProblem.Source {
        switch self {
        case .file(let name): .file(name, line: mark?.line)
        case .value(let source): source
        }
    }
}
