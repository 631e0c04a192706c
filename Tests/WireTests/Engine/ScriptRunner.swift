internal import Glibc

/// Plays a script against a broker.
struct ScriptRunner {
    private let script: WireScript
    private let version: Int
    private let port: UInt16
    private var clients: [String: WireClient] = [:]
    private var pattern = Pattern()

    static func run(_ wireCase: WireCase, port: UInt16) throws {
        var runner = ScriptRunner(script: wireCase.script, version: wireCase.version, port: port)
        for (index, step) in wireCase.script.steps.enumerated() {
            do {
                try runner.perform(step)
            } catch {
                throw ScriptError.unexpected("step \(index + 1) \(step)\n  \(error)")
            }
        }
    }

    private init(script: WireScript, version: Int, port: UInt16) {
        self.script = script
        self.version = version
        self.port = port
    }

    // MARK: - Steps

    private mutating func perform(_ step: JSONValue) throws {
        guard var fields = step.object else { throw ScriptError.badScript("a step is an object") }
        fields["note"] = nil
        let name = fields.removeValue(forKey: "client")?.string ?? "a"
        let chunk = fields.removeValue(forKey: "chunk")?.integer
        let connack = fields.removeValue(forKey: "connack")
        guard fields.count == 1, let (verb, value) = fields.first else {
            throw ScriptError.badScript("a step has one verb, not \(fields.keys.sorted())")
        }
        switch verb {
        case "open": try open(name, version: version)
        case "connect": try connect(name, value, connack: connack, chunk: chunk)
        case "send": try client(name).send(try pattern.filledIn(value), chunk: chunk)
        case "expect": try expect(client(name), oneOf: [value])
        case "expectAnyOf": try expect(client(name), oneOf: value.array ?? [])
        case "expectAll": try expect(client(name), all: value.array ?? [])
        case "expectNothing": try expectNothing(client(name))
        case "expectError": try expectError(client(name), codes: value.array ?? [])
        case "expectClosed": try client(name).expectEnd()
        case "subscribe": try subscribe(client(name), value)
        case "publish": try publish(client(name), value)
        case "receive": try receive(client(name), value)
        case "collect": try collect(value)
        case "ping": try client(name).ping()
        case "disconnect": try disconnect(name, value)
        case "drop": clients[name] = nil
        case "pause": usleep(UInt32((value.seconds ?? 0) * 1_000_000))
        default: throw ScriptError.badScript("no such verb: \(verb)")
        }
    }

    private func client(_ name: String) throws -> WireClient {
        guard let client = clients[name] else { throw ScriptError.badScript("client \(name) is not connected") }
        return client
    }

    private mutating func open(_ name: String, version: Int) throws {
        clients[name] = try WireClient(name: name, version: version, port: port)
    }

    /// Opens, sends CONNECT and expects that it is accepted.
    private mutating func connect(_ name: String, _ value: JSONValue, connack: JSONValue?, chunk: Int?) throws {
        var fields = try pattern.filledIn(value).object ?? [:]
        fields["packet"] = .string("CONNECT")
        // The older connection of this name lives on while the newer one is made, as takeover wants it.
        let client = try WireClient(name: name, version: fields["version"]?.integer ?? version, port: port)
        try client.send(.object(fields), chunk: chunk)
        var expected = connack?.object ?? [:]
        expected["packet"] = .string("CONNACK")
        expected["reasonCode"] = .number(0)
        if client.version < 5 { expected["properties"] = nil }
        try expect(client, oneOf: [.object(expected)])
        clients[name] = client
    }

    private mutating func disconnect(_ name: String, _ value: JSONValue) throws {
        var fields = value.object ?? [:]
        fields["packet"] = .string("DISCONNECT")
        let client = try client(name)
        try client.send(.object(fields))
        try client.expectEnd()
        clients[name] = nil
    }

    // MARK: - Expectations

    /// The next packet is one of these; `{"packet": "CLOSED"}` stands for the end of the connection.
    private mutating func expect(_ client: WireClient, oneOf choices: [JSONValue]) throws {
        let packet = JSONValue.object(try client.next() ?? ["packet": .string("CLOSED")])
        var problems: [String] = []
        for choice in choices {
            guard let problem = pattern.mismatch(packet, choice) else { return }
            problems.append(problem)
        }
        throw ScriptError.unexpected("\(client.name): \(problems.joined(separator: " / ")); got \(packet)")
    }

    private mutating func expect(_ client: WireClient, all expected: [JSONValue]) throws {
        var missing = expected
        while !missing.isEmpty {
            guard let packet = try client.next() else {
                throw ScriptError.unexpected("\(client.name): closed, missing \(missing)")
            }
            let found = missing.firstIndex { choice in
                var trial = pattern
                return trial.mismatch(.object(packet), choice) == nil
            }
            guard let found else {
                throw ScriptError.unexpected("\(client.name): \(JSONValue.object(packet)) is none of \(missing)")
            }
            _ = pattern.mismatch(.object(packet), missing.remove(at: found))
        }
    }

    /// Two rounds of PINGREQ over all clients, this one last.
    ///
    /// After the first answer the broker has worked off what the client sent before; after the second, also what that
    /// caused on another shard. So nothing needs to be waited for.
    private func expectNothing(_ client: WireClient) throws {
        try settle(client)
        try client.expectEmptyInbox()
    }

    private func settle(_ client: WireClient) throws {
        let others = clients.values.filter { $0 !== client && $0.isAccepted && !$0.hasEnded }
        for _ in 0..<2 {
            for other in others {
                try other.pingIfOpen()
            }
        }
        try client.ping()
        try client.ping()
    }

    /// The broker ends the connection because of an error.
    ///
    /// 5.0: DISCONNECT with one of the codes, or, before the connection was accepted, CONNACK with one of them or
    /// nothing [MQTT-4.13.1-1]; then the end. Before 5.0: the end.
    private mutating func expectError(_ client: WireClient, codes: [JSONValue]) throws {
        guard client.version == 5 else { return try client.expectEnd() }
        let packet = try client.next()
        guard let packet else {
            if client.isAccepted { throw ScriptError.unexpected("\(client.name): closed without DISCONNECT") }
            return
        }
        let expected: [String: JSONValue] = [
            "packet": .string(client.isAccepted ? "DISCONNECT" : "CONNACK"),
            "reasonCode": .object(["oneOf": .array(codes)]),
        ]
        if let problem = pattern.mismatch(.object(packet), .object(expected)) {
            throw ScriptError.unexpected("\(client.name): \(problem); got \(JSONValue.object(packet))")
        }
        try client.expectEnd()
    }

    // MARK: - Whole exchanges

    private mutating func subscribe(_ client: WireClient, _ value: JSONValue) throws {
        var fields = value.object ?? [:]
        if fields["filters"] == nil { fields = ["filters": .array(value.array ?? [value])] }
        let id = client.nextIdentifier()
        fields["packet"] = .string("SUBSCRIBE")
        fields["id"] = JSONValue(id)
        try client.send(try pattern.filledIn(.object(fields)))
        let answer = try client.next("SUBACK") { $0["packet"] == .string("SUBACK") && $0["id"]?.integer == id }
        let granted = (fields["filters"]?.array ?? []).map { $0.object?["qos"] ?? .number(0) }
        guard answer["reasonCodes"] == .array(granted) else {
            throw ScriptError.unexpected("\(client.name): not granted: \(JSONValue.object(answer))")
        }
    }

    private mutating func publish(_ client: WireClient, _ value: JSONValue) throws {
        var fields = try pattern.filledIn(value).object ?? [:]
        fields["packet"] = .string("PUBLISH")
        let qos = fields["qos"]?.integer ?? 0
        guard qos > 0 else { return try client.send(.object(fields)) }
        let id = fields["id"]?.integer ?? client.nextIdentifier()
        fields["id"] = JSONValue(id)
        try client.send(.object(fields))
        try acknowledged(client, qos == 1 ? "PUBACK" : "PUBREC", id)
        guard qos == 2 else { return }
        try client.send(.object(["packet": .string("PUBREL"), "id": JSONValue(id)]))
        try acknowledged(client, "PUBCOMP", id)
    }

    private func acknowledged(_ client: WireClient, _ kind: String, _ id: Int) throws {
        let answer = try client.next(kind) { $0["packet"] == .string(kind) && $0["id"]?.integer == id }
        // 0x10 says that nobody subscribed.
        guard [0, 0x10].contains(answer["reasonCode"]?.integer) else {
            throw ScriptError.unexpected("\(client.name): refused: \(JSONValue.object(answer))")
        }
    }

    private mutating func receive(_ client: WireClient, _ value: JSONValue) throws {
        var expected = value.object ?? [:]
        expected["packet"] = .string("PUBLISH")
        if client.version < 5 { expected["properties"] = nil }
        let packet = try client.next("PUBLISH") { $0["packet"] == .string("PUBLISH") }
        if let problem = pattern.mismatch(.object(packet), .object(expected)) {
            throw ScriptError.unexpected("\(client.name): \(problem); got \(JSONValue.object(packet))")
        }
        try acknowledge(client, packet)
    }

    private func acknowledge(_ client: WireClient, _ packet: [String: JSONValue]) throws {
        guard let id = packet["id"], let qos = packet["qos"]?.integer, qos > 0 else { return }
        try client.send(.object(["packet": .string(qos == 1 ? "PUBACK" : "PUBREC"), "id": id]))
        guard qos == 2 else { return }
        _ = try client.next("PUBREL") { $0["packet"] == .string("PUBREL") && $0["id"] == id }
        try client.send(.object(["packet": .string("PUBCOMP"), "id": id]))
    }

    /// Several clients together get these payloads, each of them at least `each` messages; all are acknowledged.
    private mutating func collect(_ value: JSONValue) throws {
        guard let names = value.object?["clients"]?.array?.compactMap(\.string),
            let payloads = value.object?["payloads"]?.array
        else { throw ScriptError.badScript("collect wants clients and payloads") }
        let members = try names.map(client)
        var came: [JSONValue] = []
        var counts = [Int](repeating: 0, count: members.count)
        while came.count < payloads.count {
            let before = came.count
            for (index, member) in members.enumerated() {
                try settle(member)
                while let packet = member.takeFromInbox() {
                    came.append(packet["payload"] ?? .null)
                    counts[index] += 1
                    try acknowledge(member, packet)
                }
            }
            guard came.count > before else { break }
        }
        if let problem = pattern.mismatch(.array(came), .object(["unordered": .array(payloads)])) {
            throw ScriptError.unexpected("\(names) together: \(problem)")
        }
        let least = value.object?["each"] ?? .object(["atLeast": .number(0)])
        for (name, count) in zip(names, counts) {
            if let problem = pattern.mismatch(JSONValue(count), least) {
                throw ScriptError.unexpected("messages to \(name): \(problem)")
            }
        }
    }
}
