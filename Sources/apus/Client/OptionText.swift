internal import ArgumentParser
internal import MQTTCodec

/// Reads values of options, and says what is wrong with them.
enum OptionText {
    static func qos(_ text: String) throws -> QoS {
        guard let qos = UInt8(text).flatMap(QoS.init(rawValue:)) else {
            throw ValidationError("'\(text)' is none of 0, 1 and 2")
        }
        return qos
    }

    static func version(_ text: String) throws -> ProtocolVersion {
        switch text {
        case "3.1", "31", "mqttv31": .v3_1
        case "3.1.1", "311", "mqttv311": .v3_1_1
        case "5", "5.0", "mqttv5": .v5
        default: throw ValidationError("'\(text)' is none of 3.1, 3.1.1 and 5")
        }
    }

    static func retainHandling(_ text: String) throws -> RetainHandling {
        guard let handling = UInt8(text).flatMap(RetainHandling.init(rawValue:)) else {
            throw ValidationError("'\(text)' is none of 0 (always), 1 (if the subscription is new) and 2 (never)")
        }
        return handling
    }

    /// A time, possibly with a fraction.
    static func seconds(_ text: String) throws -> Duration {
        guard let seconds = Double(text), seconds >= 0, seconds <= 1e9 else {
            throw ValidationError("'\(text)' is no number of seconds")
        }
        return .seconds(seconds)
    }

    /// The name ends at the first `=`, so the value may hold more of them.
    static func userProperty(_ text: String) throws -> UserProperty {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw ValidationError("'\(text)' is not of the form name=value") }
        guard parts.allSatisfy({ $0.utf8.count <= Int(UInt16.max) && !$0.utf8.contains(0) }) else {
            throw ValidationError("a user property is too long or holds U+0000")
        }
        return UserProperty(String(parts[0]), String(parts[1]))
    }

    static func checkTopicName(_ topic: String, option: String) throws {
        try checkTopic(topic, option: option)
        guard !topic.utf8.contains(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }) else {
            throw ValidationError("\(option) '\(topic)': messages go to one topic; + and # are for topic filters")
        }
    }

    static func checkTopicFilter(_ filter: String, option: String) throws {
        try checkTopic(filter, option: option)
        let levels = filter.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for (index, level) in levels.enumerated() where level.count > 1 || index < levels.count - 1 {
            guard !level.contains(UInt8(ascii: "#")) else {
                throw ValidationError("\(option) '\(filter)': # stands alone, at the end")
            }
            guard level.count == 1 || !level.contains(UInt8(ascii: "+")) else {
                throw ValidationError("\(option) '\(filter)': + stands alone between two slashes")
            }
        }
    }

    private static func checkTopic(_ topic: String, option: String) throws {
        guard !topic.isEmpty, topic.utf8.count <= Int(UInt16.max), !topic.utf8.contains(0) else {
            throw ValidationError("\(option): a topic has 1 to 65535 bytes and no U+0000")
        }
    }
}
