internal import ApusLoop
internal import ArgumentParser
internal import FoundationEssentials

/// Where the management API is, and with which key it is used.
struct APIAccess: Equatable {
    var url: String
    var keyID: String
    var secret: String
}

/// Options of all verbs that use the management API.
struct APIOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("The management API (default: APUS_API, or what --data says).", valueName: "url"),
    )
    var api: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The access key. Others on this machine can see it; better: APUS_ACCESS_KEY_ID and APUS_ACCESS_KEY_SECRET.",
            valueName: "id:secret",
        ),
    )
    var accessKey: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The service's data directory; its administrator.json has the first key (default: APUS_DATA_DIRECTORY, or "
                + "apus-data).",
            valueName: "dir",
        ),
        completion: .directory,
    )
    var data: String?

    @Option(
        name: .long,
        help: ArgumentHelp("The authorities to trust with https (PEM), not the system's.", valueName: "file"),
        completion: .file(),
    )
    var caFile: String?

    @Option(
        name: .long,
        help: ArgumentHelp("How long to wait for an answer (default: 30).", valueName: "seconds"),
        transform: OptionText.seconds,
    )
    var timeout = Duration.seconds(30)

    @Flag(name: .long, help: "Print JSON instead of a table.")
    var json = false

    func validate() throws {
        guard timeout > .zero else { throw ValidationError("--timeout must be more than 0") }
        if let accessKey, !accessKey.contains(":") {
            throw ValidationError("--access-key takes the key's id and its secret, with a colon between them")
        }
    }

    /// Options lie over the environment, and both over the file of the first start.
    func access(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> APIAccess {
        let parts = accessKey?.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let url = api ?? environment["APUS_API"]
        let id = parts?[0] ?? environment["APUS_ACCESS_KEY_ID"]
        let secret = parts?[1] ?? environment["APUS_ACCESS_KEY_SECRET"]
        if let url, let id, let secret { return APIAccess(url: url, keyID: id, secret: secret) }
        // Half a key of one source never goes with half of another.
        guard (id == nil) == (secret == nil) else {
            throw CommandFailure("of APUS_ACCESS_KEY_ID and APUS_ACCESS_KEY_SECRET only one is set")
        }
        let folder = data ?? environment["APUS_DATA_DIRECTORY"] ?? "apus-data"
        let file = try AdministratorFile(dataDirectory: folder)
        guard let url = url ?? file.api else {
            throw CommandFailure("\(file.path) does not say where the API is; give it with --api")
        }
        return APIAccess(url: url, keyID: id ?? file.keyID, secret: secret ?? file.secret)
    }
}

/// `administrator.json`, which the first start of a service leaves in its data directory for its owner.
struct AdministratorFile {
    let path: String
    let api: String?
    let keyID: String
    let secret: String

    init(dataDirectory: String) throws {
        path = "\(dataDirectory)/administrator.json"
        let bytes: [UInt8]?
        do {
            bytes = try StandardStream.readAll(file: path, limit: 1 << 16)
        } catch {
            throw CommandFailure(
                "\(error); say where the service is and who you are with --api and --access-key, or with APUS_API, "
                    + "APUS_ACCESS_KEY_ID and APUS_ACCESS_KEY_SECRET, or name its data directory with --data"
            )
        }
        let value: JSONValue?
        do {
            value = try bytes.map { bytes throws(JSONError) in try JSONReader.read(bytes) }
        } catch {
            throw CommandFailure("\(path) is not JSON: \(error)")
        }
        guard let id = value?["accessKeyId"]?.string, let secret = value?["accessKeySecret"]?.string else {
            throw CommandFailure("\(path) has no accessKeyId and accessKeySecret")
        }
        // Empty while the first start has not come to its end.
        api = value?["api"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        keyID = id
        self.secret = secret
    }
}
