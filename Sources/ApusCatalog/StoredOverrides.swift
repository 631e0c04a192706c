internal import ApusMessage
internal import ApusResources
internal import Foundation
internal import MQTTCodec

// What has a varying number of parts, as JSON in one column: readable with the sqlite3 tool, and open for more.

extension PolicyOverrides {
    private struct Stored: Codable {
        var duplicateClientID: String?
        var onDenied: String?
        var maximumQoS: UInt8?
        var requiresGroup: Bool?
        var requiresParentTopic: Bool?
        var persistentQoS2: Bool?
        var p2p: Bool?
        var anonymousOnLoopback: Bool?
        var trace: Bool?
    }

    var storedText: String {
        json(
            Stored(
                duplicateClientID: duplicateClientID?.rawValue,
                onDenied: onDenied?.rawValue,
                maximumQoS: maximumQoS?.rawValue,
                requiresGroup: requiresGroup,
                requiresParentTopic: requiresParentTopic,
                persistentQoS2: persistentQoS2,
                p2p: p2p,
                anonymousOnLoopback: anonymousOnLoopback,
                trace: trace,
            )
        )
    }

    init(storedText: String) throws {
        let stored = try JSONDecoder().decode(Stored.self, from: Data(storedText.utf8))
        self.init()
        duplicateClientID = try stored.duplicateClientID.map { try storedWord($0, "duplicateClientID") }
        onDenied = try stored.onDenied.map { try storedWord($0, "onDenied") }
        maximumQoS = try stored.maximumQoS.map { number in
            guard let qos = QoS(rawValue: number) else { throw CatalogError.unusable("\(number) stands as maximumQoS") }
            return qos
        }
        requiresGroup = stored.requiresGroup
        requiresParentTopic = stored.requiresParentTopic
        persistentQoS2 = stored.persistentQoS2
        p2p = stored.p2p
        anonymousOnLoopback = stored.anonymousOnLoopback
        trace = stored.trace
    }
}

extension LimitOverrides {
    var storedText: String { json(Dictionary(uniqueKeysWithValues: values.map { ($0.rawValue, $1) })) }

    init(storedText: String) throws {
        let stored = try JSONDecoder().decode([String: Int].self, from: Data(storedText.utf8))
        self.init()
        for (name, value) in stored {
            guard let name = InstanceLimits.Name(rawValue: name) else {
                throw CatalogError.unusable("`\(name)` stands as a limit")
            }
            values[name] = value
        }
    }
}

extension ServerNameConfiguration {
    /// Lists of domain, certificate and password.
    fileprivate typealias Stored = [[String]]

    var storedEntries: String { json(entries.map { [$0.domain, $0.certificateID, $0.password] } as Stored) }
}

extension ServerNameConfiguration.Entry {
    static func entries(storedText: String) throws -> [Self] {
        let stored = try JSONDecoder().decode(ServerNameConfiguration.Stored.self, from: Data(storedText.utf8))
        return try stored.map { parts in
            guard parts.count == 3 else { throw CatalogError.unusable("\(parts.count) parts stand as a server name") }
            return Self(domain: parts[0], certificateID: parts[1], password: parts[2])
        }
    }
}

private func json(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    // Of numbers, words, lists and truths nothing can fail to be written.
    return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
}
