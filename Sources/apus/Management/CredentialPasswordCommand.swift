internal import ApusCrypto
internal import ArgumentParser
internal import FoundationEssentials

/// User name and password of a device, computed here; no service is asked.
struct CredentialPasswordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "password",
        abstract: "Compute the user name and password that a device logs in with.",
        discussion: """
            --mode signature: --access-key-id, --instance, --client-id and the key's secret.
            --mode device: the same with the device's own key, as `apus credential register` shows it.
            --mode token: --access-key-id, --instance, and one or more --token TYPE=TEXT; no secret.
            --mode custom: --username, and the secret; with --signed also --client-id.

            The secret is asked for on a terminal and not shown; otherwise it is APUS_ACCESS_KEY_SECRET, or one line of \
            standard input.
            """,
    )

    @Option(name: .long, help: "signature, token, device or custom.")
    var mode: DeviceLogin.Mode

    @Option(name: [.customShort("i"), .long], help: "The full client id: GROUP@@@DEVICE.")
    var clientID: String?

    @Option(name: [.customShort("I"), .long], help: "The instance's id.")
    var instance: String?

    @Option(name: .long, help: "The access key's id; with --mode device that of the device.")
    var accessKeyID: String?

    @Option(name: .long, help: "The user name of --mode custom.")
    var username: String?

    @Flag(name: .long, help: "With --mode custom: the identity's sign mode is SIGNED.")
    var signed = false

    @Option(
        name: .long,
        help: ArgumentHelp("R=TEXT, W=TEXT or RW=TEXT; once for each type.", valueName: "type=text"),
    )
    var token: [String] = []

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        func require(_ option: String, _ value: String?) throws {
            if value == nil { throw ValidationError("--mode \(mode.rawValue) needs \(option)") }
        }
        if mode == .custom {
            try require("--username", username)
            if signed { try require("--client-id", clientID) }
        } else {
            try require("--access-key-id", accessKeyID)
            try require("--instance", instance)
        }
        if mode == .signature || mode == .device { try require("--client-id", clientID) }
        guard (mode == .token) == !token.isEmpty else {
            throw ValidationError("--token and --mode token belong together")
        }
        _ = try DeviceLogin.tokens(token)
    }

    func run() throws {
        let login = DeviceLogin(
            mode: mode,
            clientID: clientID ?? "",
            instance: instance ?? "",
            name: (mode == .custom ? username : accessKeyID) ?? "",
            isSigned: signed,
        )
        let password: String
        if mode == .token {
            password = try DeviceLogin.tokens(token)
        } else {
            password = login.password(secret: try Self.secret())
        }
        if json {
            let members: KeyValuePairs<String, JSONValue?> = [
                "clientId": clientID.map { .string($0) }, "username": .string(login.userName),
                "password": .string(password),
            ]
            print(JSONValue.object(members).indented)
        } else {
            if let clientID { print("client id: \(clientID)") }
            print("username:  \(login.userName)\npassword:  \(password)")
        }
        if let doubt = login.doubt { Voice(level: .usual).say(doubt) }
    }

    /// The key's secret, from the environment or asked for.
    static func secret() throws -> String {
        try ProcessInfo.processInfo.environment["APUS_ACCESS_KEY_SECRET"] ?? SecretPrompt.readOnce("Secret: ")
    }
}

/// How a device logs in, in each mode of the service (apsaramq-facts 2.2).
struct DeviceLogin: Equatable {
    enum Mode: String, ExpressibleByArgument, CaseIterable {
        case signature, token, device, custom
    }

    var mode: Mode
    var clientID: String
    var instance: String
    /// The access key's id, or the user name of a custom identity.
    var name: String
    var isSigned = false

    var userName: String {
        switch mode {
        case .signature: "Signature|\(name)|\(instance)"
        case .token: "Token|\(name)|\(instance)"
        case .device: "DeviceCredential|\(name)|\(instance)"
        case .custom: name
        }
    }

    /// Base64 of HMAC-SHA1 over the client id, or the secret itself.
    func password(secret: String) -> String {
        guard mode != .custom || isSigned else { return secret }
        return Base64.encode(HMAC.sha1(key: Array(secret.utf8), Array(clientID.utf8)))
    }

    /// What will probably be refused.
    var doubt: String? {
        mode == .custom || mode == .token ? nil : ClientIDShape.complaint(clientID).map { "note: \($0)" }
    }

    /// The password of the mode Token: types and texts in turn.
    static func tokens(_ texts: [String]) throws -> String {
        var types: Set<Substring> = []
        var parts: [Substring] = []
        for text in texts {
            let pair = text.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, ["R", "W", "RW"].contains(pair[0]) else {
                throw ValidationError("a token is given as R=TEXT, W=TEXT or RW=TEXT")
            }
            guard types.insert(pair[0]).inserted else { throw ValidationError("--token \(pair[0])= comes twice") }
            parts += pair
        }
        return parts.joined(separator: "|")
    }
}

/// The form of a client id in an instance of the profile apsaramq (apsaramq-facts 1).
enum ClientIDShape {
    /// What is wrong with it; nil when its form is right.
    static func complaint(_ clientID: String) -> String? {
        let example = "as GID_shop@@@till-1"
        guard let separator = clientID.firstRange(of: "@@@") else {
            return "the client id is not GROUP@@@DEVICE, \(example): '@@@' is missing"
        }
        let (group, device) = (clientID[..<separator.lowerBound], clientID[separator.upperBound...])
        if !group.hasPrefix("GID_") && !group.hasPrefix("GID-") {
            return "the client id begins with its group, and a group begins with GID_ or GID-, \(example)"
        }
        if !(7...64).contains(group.count) { return "the group in the client id has 7 to 64 characters" }
        if device.isEmpty { return "in the client id nothing stands behind '@@@', \(example)" }
        let characters = clientID.unicodeScalars
        if characters.count > 64 { return "the client id has \(characters.count) characters, 64 are allowed" }
        if characters.contains(where: { $0.properties.generalCategory == .control }) {
            return "the client id holds characters that cannot be printed, as a tab or a line end"
        }
        return nil
    }
}
