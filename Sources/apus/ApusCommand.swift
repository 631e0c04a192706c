internal import ArgumentParser

/// The command line: one executable, one verb for each thing that a person wants to do.
@main
struct ApusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "An MQTT message service: broker, clients and tools in one binary.",
        version: ApusVersion.text,
        subcommands: [
            ServeCommand.self, PubCommand.self, SubCommand.self, BenchCommand.self, ConfigCommand.self,
            PasswordCommand.self, LogCommand.self, BackupCommand.self, RestoreCommand.self, VersionCommand.self,
        ],
        groupedSubcommands: [
            CommandGroup(
                name: "The message service:",
                subcommands: [
                    AccountCommand.self, KeyCommand.self, InstanceCommand.self, TopicCommand.self, GroupCommand.self,
                    CredentialCommand.self, TokenCommand.self, IdentityCommand.self, PermissionCommand.self,
                    BanCommand.self, ClientCommand.self, SessionCommand.self, RetainedCommand.self,
                    PublishCommand.self, ReceiptCommand.self, TraceCommand.self, AuditCommand.self, ApplyCommand.self,
                    ExportCommand.self, DoctorCommand.self,
                ],
            )
        ],
    )
}

/// The version of this build.
enum ApusVersion {
    static let text = "0.1.0"
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    func run() { print("apus \(ApusVersion.text)") }
}

/// A message for a person and the exit code 1; ArgumentParser prints it as it is.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
