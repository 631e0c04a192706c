internal import ArgumentParser
internal import FoundationEssentials

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Issue, look into and revoke tokens.",
        subcommands: [Issue.self, Query.self, Revoke.self],
    )

    struct Issue: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Issue a token that lets its bearer read or write topics for a while.",
            discussion: """
                A token lives 60 s to 30 days. `apus credential password --mode token` makes a password of it.
                """,
        )

        @Argument(help: "The topics and filters that it is for; at most 100.")
        var resources: [String]

        @Option(name: .long, help: "R to subscribe, W to publish, RW for both.")
        var actions: Actions = .both

        enum Actions: String, ExpressibleByArgument, CaseIterable {
            case read = "R"
            case write = "W"
            case both = "RW"
        }

        @Option(
            name: .long,
            help: ArgumentHelp("How long it is valid, as 90s, 15m, 12h or 30d (default: 1h).", valueName: "time"),
            transform: LifetimeText.seconds,
        )
        var lifetime: Int64 = 3600

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func validate() throws { try LifetimeText.checkToken(lifetime) }

        func run(_ client: APIClient) throws {
            // The shortest is to have its 60 s still when it comes to the service.
            let life = max(lifetime * 1000, LifetimeText.shortestToken * 1000 + 1000)
            let end = Int64((Date().timeIntervalSince1970 * 1000).rounded()) + life
            let body = JSONValue.object([
                "actions": .string(actions == .both ? "R,W" : actions.rawValue),
                "resources": .array(resources.map { .string($0) }), "expiresAt": .number(end),
            ])
            let path = ["instances", try instance.id(client), "tokens"]
            let columns = [
                Column("token", "token"), Column("type", "type"), Column.time("valid until", "expiresAt"),
            ]
            try show(try client.call("POST", path, body: body), as: columns)
        }
    }

    struct Query: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say whether a token is valid and what it allows; exit code 1 when it is not.",
        )

        @Argument(help: "The token's text; - reads it from standard input, where nobody else sees it.")
        var token: String

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let body = JSONValue.object(["token": .string(try TokenText.read(token))])
            let path = ["instances", try instance.id(client), "tokens", "query"]
            let answer = try client.call("POST", path, body: body)
            let columns = [
                Column("valid", "valid"), Column("reason", "reason"), Column("actions", "actions"),
                Column("resources", "resources"), Column.time("issued", "issuedAt"),
                Column.time("valid until", "expiresAt"),
            ]
            try show(answer, as: columns)
            if answer["valid"]?.bool != true { throw ExitCode(1) }
        }
    }

    struct Revoke: ManagementCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a token; connections that use it are told and closed.",
        )

        @Argument(help: "The token's text; - reads it from standard input, where nobody else sees it.")
        var token: String

        @OptionGroup var instance: InstanceOptions
        @OptionGroup var options: APIOptions

        func run(_ client: APIClient) throws {
            let body = JSONValue.object(["token": .string(try TokenText.read(token))])
            _ = try client.call("POST", ["instances", try instance.id(client), "tokens", "revoke"], body: body)
            try done("the token is revoked")
        }
    }
}

enum TokenText {
    static func read(_ argument: String) throws -> String {
        argument == "-" ? try SecretPrompt.readOnce("Token: ") : argument
    }
}

/// Times as people write them: `90s`, `15m`, `12h`, `30d`, or seconds without a letter.
enum LifetimeText {
    static let shortestToken: Int64 = 60
    private static let longestToken: Int64 = 30 * 86_400

    /// The service cuts what is longer, and whoever counts on the 31st day finds out on that day (apsaramq-facts 2.4).
    static func checkToken(_ seconds: Int64) throws {
        guard seconds >= shortestToken else {
            throw ValidationError("--lifetime: a token lives 60s at least; this is \(seconds)s")
        }
        guard seconds <= longestToken else {
            throw ValidationError("--lifetime: a token lives 30d at most; this is \(words(seconds))")
        }
    }

    private static func words(_ seconds: Int64) -> String {
        let units: [(String, Int64)] = [("d", 86_400), ("h", 3600), ("m", 60)]
        return units.first { seconds % $1 == 0 }.map { "\(seconds / $1)\($0)" } ?? "\(seconds)s"
    }

    static func seconds(_ text: String) throws -> Int64 {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let unit = text.last.flatMap { units[$0] }
        guard let count = Int64(unit == nil ? text[...] : text.dropLast()), (1...1_000_000_000).contains(count) else {
            throw ValidationError("'\(text)' is no time such as 90s, 15m, 12h or 30d")
        }
        return count * (unit ?? 1)
    }
}
