internal import ApusCredentials
internal import ArgumentParser

struct PasswordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "password",
        abstract: "Keep the password file: set, remove and list users.",
        subcommands: [Set.self, Remove.self, List.self],
        defaultSubcommand: Set.self,
    )

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set a user's password.",
            discussion: """
                On a terminal the password is asked for twice and not shown; otherwise it is one line of standard input.
                """,
        )

        @Argument(help: "The password file; made when it does not exist.")
        var file: String

        @Argument(help: "The user name.")
        var user: String

        func run() throws {
            let password = try SecretPrompt.readNew("Password for \(user): ", again: "The same again: ")
            try readably { () throws(CredentialError) in
                try PasswordFile(path: file).setPassword(user: user, password: password)
            }
            print("\(file): the password of \(user) is set")
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a user.")

        @Argument(help: "The password file.")
        var file: String

        @Argument(help: "The user name.")
        var user: String

        func run() throws {
            let existed = try readably { () throws(CredentialError) in try PasswordFile(path: file).removeUser(user) }
            guard existed else { throw CommandFailure("\(file): there is no user \(user)") }
            print("\(file): \(user) is removed")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the users.")

        @Argument(help: "The password file.")
        var file: String

        func run() throws {
            for user in try readably({ () throws(CredentialError) in try PasswordFile(path: file).listUsers() }) {
                print(user)
            }
        }
    }
}

/// Turns a credential error into words for the terminal.
private func readably<Value>(_ body: () throws(CredentialError) -> Value) throws -> Value {
    do {
        return try body()
    } catch {
        throw CommandFailure(error.description)
    }
}
