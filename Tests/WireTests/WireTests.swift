internal import Testing

/// The scripts of this folder, each against a broker process of its own.
@Suite("Packet scripts over loopback")
struct WireTests {
    @Test(arguments: try WireCase.all())
    func script(_ wireCase: WireCase) throws {
        let server = try WireServer(environment: wireCase.script.environment)
        do {
            try ScriptRunner.run(wireCase, port: server.port)
        } catch {
            let logged = server.logged()
            Issue.record("\(error)\nthe broker logged:\n\(logged)")
        }
        try server.stop()
    }
}
