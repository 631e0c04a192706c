internal import ApusLoop
internal import ArgumentParser

struct ApplyCommand: ManagementCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Bring accounts, keys and instances to the state that a resources file describes.",
        discussion: """
            Prints what it changes: + made, ~ changed, - removed. Accounts and instances that the file does not name are \
            left alone; of those that it names, keys, topics and groups that it does not list are removed. \
            A key that was disabled and an instance that was stopped stay so unless the file says `enabled: true` or \
            `state: running`. All or nothing: a file that cannot be understood, or that breaks a limit, changes nothing, \
            and all that is wrong with it is told, each with its line.
            """,
    )

    @Option(name: .shortAndLong, help: "The resources file (YAML); - is standard input.", completion: .file())
    var file: String

    @Flag(name: .long, help: "Only print what would change.")
    var dryRun = false

    @OptionGroup var options: APIOptions

    func run(_ client: APIClient) throws {
        let resources = try ResourceFile(path: file)
        let report: JSONValue
        do {
            let query: [(name: String, value: String?)] = [("dryRun", dryRun ? "true" : nil)]
            report = try client.call("POST", ["apply"], query: query, body: resources.document)
        } catch let error as APIFailure {
            guard !error.problems.isEmpty else { throw error }
            for line in resources.report(error.problems) { Voice(level: .usual).say(line) }
            throw ExitCode(1)
        }
        if options.json { return try write(report.indented + "\n") }
        let lines = report["lines"]?.items.compactMap(\.string) ?? []
        try write(lines.map { StorageText.shown($0, atMost: 2000) + "\n" }.joined())
        let changes = lines.isEmpty ? "nothing to change" : StorageText.count(lines.count, "change")
        Voice(level: .usual).say(dryRun && !lines.isEmpty ? "\(changes), none made (--dry-run)" : changes)
    }
}

struct ExportCommand: ManagementCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a resources file of what there is, for `apus apply`.",
        discussion: """
            The file holds the secrets of the access keys; one that is made by --output is its owner's alone. Device \
            credentials, identities, certificates and tokens are not in it: `apus backup` takes all.
            """,
    )

    @Option(name: .shortAndLong, help: "The file to make; without it, standard output.", completion: .file())
    var output: String?

    @OptionGroup var options: APIOptions

    func run(_ client: APIClient) throws {
        let document = try client.call("GET", ["export"])
        let text = options.json ? document.indented + "\n" : YAMLText.write(document)
        guard let output else { return try write(text) }
        let parts = output.split(separator: "/", omittingEmptySubsequences: false)
        let folder = parts.count > 1 ? parts.dropLast().joined(separator: "/") + "/" : "."
        do {
            try PrivateFolder(creating: folder).write(text, to: String(parts.last ?? ""))
        } catch {
            throw CommandFailure(error.description)
        }
    }
}
