internal import Foundation
internal import Testing

/// A file of scripts about one subject.
struct WireScriptFile: Decodable {
    let subject: String
    let scripts: [WireScript]
}

/// One exchange with a broker, as data; see README.md for the form.
struct WireScript: Decodable, Sendable {
    let name: String
    /// The normative statements that it proves.
    let spec: [String]
    /// Protocol levels to run it with: 3, 4, 5.
    let versions: [Int]
    /// Settings of the broker for this script, as environment variables.
    let environment: [String: String]
    let steps: [JSONValue]

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, spec, versions, environment, steps, note
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        name = try fields.decode(String.self, forKey: .name)
        spec = try fields.decode([String].self, forKey: .spec)
        versions = try fields.decodeIfPresent([Int].self, forKey: .versions) ?? [5]
        environment = try fields.decodeIfPresent([String: String].self, forKey: .environment) ?? [:]
        steps = try fields.decode([JSONValue].self, forKey: .steps)
    }
}

/// A script with one of the versions that it names: what one test case runs.
struct WireCase: Sendable, CustomTestStringConvertible {
    let file: String
    let script: WireScript
    let version: Int

    var testDescription: String { "\(file): \(script.name) (\(Self.versionName[version] ?? "?"))" }

    private static let versionName = [3: "3.1", 4: "3.1.1", 5: "5.0"]

    /// The scripts of the folder beside the tests; `WIRE_ONLY` keeps those whose description contains it.
    static func all() throws -> [WireCase] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Scripts")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "json" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
        let only = ProcessInfo.processInfo.environment["WIRE_ONLY"]
        var cases: [WireCase] = []
        for file in files {
            let content = try JSONDecoder().decode(WireScriptFile.self, from: Data(contentsOf: file))
            let name = file.deletingPathExtension().lastPathComponent
            for script in content.scripts {
                cases += script.versions.map { WireCase(file: name, script: script, version: $0) }
            }
        }
        return only.map { only in cases.filter { $0.testDescription.contains(only) } } ?? cases
    }
}
