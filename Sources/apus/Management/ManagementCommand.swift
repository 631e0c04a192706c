internal import ApusLoop
internal import ArgumentParser
internal import FoundationEssentials

/// A verb over the management API.
///
/// Exit codes: 0 done, 1 the service refused it, 2 a mistake in the options, 3 no connection or no answer.
protocol ManagementCommand: ParsableCommand {
    var options: APIOptions { get }

    func run(_ client: APIClient) throws
}

extension ManagementCommand {
    mutating func run() throws {
        ignoreBrokenPipe()
        do {
            try run(APIClient(options))
        } catch let error as APIFailure {
            Voice(level: .usual).say(error.description)
            throw ExitCode(1)
        } catch let error as APIUnreachable {
            Voice(level: .usual).say(error.description)
            throw ExitCode(3)
        }
    }

    /// Prints items as a table for a person, or as a JSON array.
    func show(_ items: [JSONValue], as columns: [Column], nothing: String) throws {
        if options.json { return try write(JSONValue.array(items).indented + "\n") }
        guard !items.isEmpty else { return Voice(level: .usual).say(nothing) }
        try write(Column.table(items, columns))
    }

    /// Prints one thing as lines of name and value, or as a JSON object.
    func show(_ item: JSONValue, as columns: [Column]) throws {
        try write(options.json ? item.indented + "\n" : Column.sheet(item, columns))
    }

    /// Does the same with each of several things; what is refused of one does not keep the others from it.
    ///
    /// - Parameter kind: of the things, `topic`.
    func each(_ names: [String], _ kind: String, _ body: (String) throws -> Void) throws {
        var refusals = 0
        for name in names {
            do {
                try body(name)
            } catch let error as APIFailure {
                refusals += 1
                Voice(level: .usual).say(error.about("\(kind) \(StorageText.shown(name))").description)
            }
        }
        if refusals > 0 { throw ExitCode(1) }
    }

    /// Tells a person what was done, or a program what came of it.
    func done(_ words: String, _ item: JSONValue = .null) throws {
        try write(options.json ? (item == .null ? "{}" : item.indented) + "\n" : words + "\n")
    }

    func write(_ text: String) throws {
        var output = LineOutput()
        output.append(text)
        if case .failed(let words) = output.flush() { throw CommandFailure(words) }
    }
}

/// Which instance a verb is about.
struct InstanceOptions: ParsableArguments {
    @Option(
        name: [.customShort("I"), .long],
        help: ArgumentHelp("The instance (default: APUS_INSTANCE, or the only one there is).", valueName: "id"),
    )
    var instance: String?

    func id(_ client: APIClient) throws -> String {
        if let id = instance ?? ProcessInfo.processInfo.environment["APUS_INSTANCE"] { return id }
        let ids = try client.list(["instances"]).compactMap { $0["id"]?.string }
        if ids.count == 1 { return ids[0] }
        let names = ids.map { StorageText.shown($0) }.joined(separator: ", ")
        let list = ids.isEmpty ? "there is none" : "there are \(names)"
        throw CommandFailure("say which instance with --instance or APUS_INSTANCE; \(list)")
    }
}
