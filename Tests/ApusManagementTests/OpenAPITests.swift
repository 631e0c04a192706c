import HTTPTypes
import Testing

@testable import ApusManagement

@Suite("The OpenAPI document")
struct OpenAPITests {
    private let document = OpenAPIDocument.json

    @Test func `everybody may read it`() async throws {
        let answer = await (try Fixture()).rest(.get, "/openapi.json", key: nil)
        #expect(answer.status == 200)
        #expect(answer.json == document)
        #expect(answer.json["openapi"] == "3.1.0")
    }

    @Test func `operations have ids of their own, and places of their own`() {
        let ids = OperationTable.all.map(\.id)
        #expect(Set(ids).count == ids.count)
        let places = OperationTable.all.map { "\($0.method.rawValue) \($0.path)" }
        #expect(Set(places).count == places.count)
    }

    @Test func `every schema that is named is there, once`() {
        let names = Components.all.map(\.name)
        #expect(Set(names).count == names.count)
        var named: Set<String> = []
        Self.references(document, &named)
        #expect(named.subtracting(names.map { "#/components/schemas/\($0)" }) == [])
        // And none that nobody names.
        #expect(Set(names.map { "#/components/schemas/\($0)" }).subtracting(named) == [])
    }

    private static func references(_ value: JSONValue, _ found: inout Set<String>) {
        for member in value.members ?? [] {
            if member.name == "$ref", let text = member.value.string { found.insert(text) }
            references(member.value, &found)
        }
        for item in value.items ?? [] { references(item, &found) }
    }

    @Test func `every parameter of a path is described`() {
        for operation in OperationTable.all {
            let described = document["paths"]?[operation.path]?[operation.method.rawValue.lowercased()]?["parameters"]?
                .items?.filter { $0["in"] == "path" }.compactMap { $0["name"]?.string }
            #expect((described ?? []) == operation.pathParameters)
        }
    }
}
