internal import ApusBench
internal import ApusLoop
internal import MQTTCodec

/// What the store phase of an offline run leaves in a file for the drain phase: which run it was, and of what shape.
struct OfflineState {
    private let file: String
    private let shape: String

    /// - Parameters:
    ///   - clientID: the template of the client ids.
    ///   - topic: the template of the topics.
    init(file: String, plan: BenchPlan, clientID: String, topic: String) {
        self.file = file
        shape = """
            apus bench offline: \(plan.publishers) publishers, \(plan.subscribers) subscribers, \(plan.messages ?? 0) \
            messages of \(plan.payloadBytes) bytes, QoS \(plan.qos.rawValue), \(plan.sessionsPerTopic) sessions a topic, \
            \(clientID), \(topic)
            """
    }

    /// The text that `{run}` stood for in the store phase.
    ///
    /// - Throws: there is no such file, or it is of a run of another shape.
    func read() throws -> String {
        let text: String?
        do {
            text = try StandardStream.readAll(file: file, limit: 1 << 16).map { String(decoding: $0, as: UTF8.self) }
        } catch {
            throw CommandFailure("\(error.description); --phase store writes it")
        }
        let lines = (text ?? "").split(separator: "\n")
        guard lines.count == 2, lines[0] == shape else {
            throw CommandFailure(
                "\(file) is not of a store phase with these options; it says: \(lines.first ?? "nothing")"
            )
        }
        return String(lines[1])
    }

    func write(run: String) throws {
        try change { folder, name throws(SystemError) in try folder.write("\(shape)\n\(run)\n", to: name) }
    }

    /// What it speaks of is no more.
    func remove() throws {
        try change { folder, name throws(SystemError) in try folder.remove(name) }
    }

    private func change(_ body: (PrivateFolder, String) throws(SystemError) -> Void) throws {
        let parts = file.split(separator: "/", omittingEmptySubsequences: false)
        let folder = parts.count > 1 ? parts.dropLast().joined(separator: "/") + "/" : "."
        do throws(SystemError) {
            try body(try PrivateFolder(creating: folder), String(parts.last ?? ""))
        } catch {
            throw CommandFailure(error.description)
        }
    }
}
