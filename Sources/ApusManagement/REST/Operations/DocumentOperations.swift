internal import ApusResources
internal import FoundationEssentials
internal import HTTPTypes

/// The resources file, and the description of this API.
enum DocumentOperations {
    static let all: [RESTOperation] = [
        RESTOperation(
            .post,
            "/apply",
            "apply",
            "Brings accounts, keys, instances, topics, groups, policies and limits to the state of the resources document.",
            rights: .administrator,
            query: [.init("dryRun", .boolean, "Only says what would change; false when absent.")],
            body: .component("ResourcesDocument"),
            findsAllProblems: true,
            answer: .component("Plan"),
        ) { call throws(RESTError) in
            let breach = call.breach
            do {
                let bytes = Data(call.body.text.utf8)
                let document = try JSONDecoder().decode(ResourceDocument.self, from: bytes)
                let isDry = call.query["dryRun"]?.bool ?? false
                let plan =
                    isDry || breach != nil
                    ? try ResourcePlan.make(document, call.directory, now: call.now)
                    : try ResourcePlan.apply(document, to: call.service.manager, by: call.actor)
                if let breach { throw breach }
                return [
                    "lines": .array(plan.lines.map { .string($0) }), "changes": JSONValue(plan.lines.count),
                    "applied": .bool(!isDry),
                ]
            } catch let error as DocumentError {
                var refusal = RESTError(error)
                if let breach { (refusal.status, refusal.code, refusal.limit) = (breach.status, breach.code, "") }
                throw refusal
            } catch let error as RESTError {
                throw error
            } catch {
                throw .impossible("body", "it is no resources document: \(error)")
            }
        },
        RESTOperation(
            .get,
            "/export",
            "export",
            "Accounts, keys with their secrets, and instances as a resources document.",
            rights: .administrator,
            answer: .component("ResourcesDocument"),
        ) { call throws(RESTError) in
            do {
                let encoder = JSONEncoder()
                encoder.outputFormatting = .sortedKeys
                return try JSONReader.read(Array(try encoder.encode(ResourceDocument(call.directory))))
            } catch {
                throw RESTError(.internalServerError, "Internal", "the document could not be written: \(error)")
            }
        },
        RESTOperation(
            .get,
            "/openapi.json",
            "getOpenAPI",
            "This document.",
            rights: nil,
            answer: .anyObject,
        ) { _ throws(RESTError) in OpenAPIDocument.json },
    ]
}
