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
            abstract: "Set a user's password; it is read from standard input, one line.",
        )

        @Argument(help: "The password file; made when it does not exist.")
        var file: String

        @Argument(help: "The user name.")
        var user: String

        func run() throws {
            guard let password = SecretPrompt.read("Password for \(user): "), !password.isEmpty else {
                throw CommandFailure("no password came on standard input; pipe one line into the command or type it")
            }
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
