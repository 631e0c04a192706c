/// What is wrong with a topic filter, in words that can go into a log line or a reason string.
package enum TopicFilterError: Error, Equatable, Sendable, CustomStringConvertible {
    case empty
    case tooLong(bytes: Int)
    case containsNull
    case multiLevelWildcardNotLast
    case multiLevelWildcardNotAlone
    case singleLevelWildcardNotAlone
    case emptyShareName
    case wildcardInShareName
    case missingFilterBehindShareName

    package var description: String {
        switch self {
        case .empty: "the topic filter is empty [MQTT-4.7.3-1]"
        case .tooLong(let bytes): "the topic filter is \(bytes) bytes long, at most 65535 are allowed [MQTT-4.7.3-3]"
        case .containsNull: "the topic filter contains a null character [MQTT-4.7.3-2]"
        case .multiLevelWildcardNotLast: "the wildcard # is not the last level of the topic filter [MQTT-4.7.1-1]"
        case .multiLevelWildcardNotAlone: "the wildcard # shares its level with other characters [MQTT-4.7.1-1]"
        case .singleLevelWildcardNotAlone: "the wildcard + shares its level with other characters [MQTT-4.7.1-2]"
        case .emptyShareName: "the share name behind $share/ is empty [MQTT-4.8.2-1]"
        case .wildcardInShareName: "the share name contains a wildcard [MQTT-4.8.2-2]"
        case .missingFilterBehindShareName: "no topic filter follows the share name [MQTT-4.8.2-2]"
        }
    }
}
