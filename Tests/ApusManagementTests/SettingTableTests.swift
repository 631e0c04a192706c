import ApusMessage
import ApusResources
import Foundation
import Testing

@testable import ApusManagement

/// docs/resources.md tells people of each policy and limit what the code does.
@Suite("The tables of policies and limits")
struct SettingTableTests {
    /// Cells of a row of a table of the document, by the name in its first cell.
    private static let rows: [String: [String]] = {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/resources.md")
        let text = (try? String(contentsOf: path, encoding: .utf8)) ?? ""
        var rows: [String: [String]] = [:]
        // The other tables of the document name keys of the file and rights.
        let part = text.components(separatedBy: "\n## Policies\n").last ?? ""
        for line in part.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            rows[cells[0].replacing("`", with: ""), default: []] += cells.dropFirst()
        }
        return rows
    }()

    private static let policies = InstanceSettings.policyProperties(required: true, nullable: false)
    private static let limits = InstanceSettings.limitProperties(required: true, nullable: false)

    /// As the API shows the value of a new instance.
    private static func standard(_ part: String, _ name: String, _ profile: Profile) -> String {
        let instance = Instance(id: "example", account: "example", profile: profile, createdAt: 0)
        return shown(InstanceSettings.json(instance)[part]?[name] ?? .null)
    }

    private static func shown(_ value: JSONValue) -> String {
        if let number = value.integer { return grouped(number) }
        return "`\(value.string ?? value.text)`"
    }

    /// `65,536`.
    private static func grouped(_ number: Int64) -> String {
        var digits = String(number)
        var end = digits.endIndex
        while let place = digits.index(end, offsetBy: -3, limitedBy: digits.startIndex), place > digits.startIndex {
            digits.insert(",", at: place)
            end = place
        }
        return digits
    }

    private static func values(_ schema: Schema) -> String {
        switch schema {
        case .choice(let words): words.map { "`\($0)`" }.joined(separator: ", ")
        case .integer(let range): "\(grouped(range.lowerBound)) … \(grouped(range.upperBound))"
        case .boolean: "`true`, `false`"
        default: ""
        }
    }

    /// What the broker goes by, under whatever case.
    private static func fields(of value: Any) -> [String] {
        Mirror(reflecting: value).children.compactMap { $0.label?.lowercased() }.sorted()
    }

    @Test func `they name every policy and limit, and no other`() {
        #expect(Self.fields(of: Policies()) == Self.policies.map { $0.name.lowercased() }.sorted())
        #expect(Self.fields(of: InstanceLimits()) == Self.limits.map { $0.name.lowercased() }.sorted())
        #expect(Self.rows.keys.sorted() == (Self.policies + Self.limits).map(\.name).sorted())
    }

    @Test(arguments: InstanceSettings.policyProperties(required: true, nullable: false).map(\.name))
    func `a policy has its values, the defaults of both profiles, and the words of the OpenAPI document`(
        name: String
    ) throws {
        let policy = try #require(Self.policies.first { $0.name == name })
        let cells = try #require(Self.rows[name])
        #expect(cells.count == 5)
        #expect(cells[0] == Self.values(policy.schema))
        #expect(cells[1] == Self.standard("policies", name, .apsaramq))
        #expect(cells[2] == Self.standard("policies", name, .standard))
        #expect("\(cells[3]) \(cells[4])" == policy.description)
    }

    @Test(arguments: InstanceLimits.Name.allCases)
    func `a limit has its range, the defaults of both profiles, and the words of the OpenAPI document`(
        limit: InstanceLimits.Name
    ) throws {
        let name = limit.rawValue
        let schema = try #require(Self.limits.first { $0.name == name }).schema
        let cells = try #require(Self.rows[name])
        #expect(cells.count == 6)
        #expect(cells[1] == Self.values(schema))
        #expect(cells[2] == Self.standard("limits", name, .apsaramq))
        #expect(cells[3] == Self.standard("limits", name, .standard))
        #expect(cells[4] == SettingText(limit).meaning)
        #expect(cells[5] == SettingText(limit).effect)
    }

    @Test func `the OpenAPI document describes each, wherever it stands`() {
        for name in ["Policies", "PolicyOverrides", "PolicyChanges", "Limits", "LimitOverrides", "LimitChanges"] {
            let properties = OpenAPIDocument.json["components"]?["schemas"]?[name]?["properties"]?.members ?? []
            #expect(properties.count == (name.hasPrefix("P") ? Self.policies : Self.limits).count)
            for property in properties { #expect(property.value["description"]?.string?.isEmpty == false) }
        }
    }
}
