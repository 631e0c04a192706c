internal import ApusResources

/// Server certificates by host name (apsaramq-facts 4.4.45).
enum ServerNameActions {
    private static let mostEntries = 100

    static let all: [RPCAction] = [
        CertificateAction.action("SetSniConfig", .manager, ["DefaultCertificate", "SniConfig"]) {
            call,
            instance throws(RPCError) in
            let standard = try call.parameters.text("DefaultCertificate", most: 1_024)
            let text = try call.parameters.optionalText("SniConfig", most: 65_536) ?? ""
            var entries: [ServerNameConfiguration.Entry] = []
            for part in text.split(separator: ";") {
                let fields = part.split(separator: "#", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
                guard fields.count == 3, !fields[0].isEmpty, !fields[1].isEmpty else {
                    throw call.parameters.refusal(
                        of: "SniConfig",
                        "write 'domain#certId#password;domain#certId#password'"
                    )
                }
                entries.append(
                    ServerNameConfiguration.Entry(
                        domain: fields[0].lowercased(),
                        certificateID: fields[1],
                        password: fields[2]
                    )
                )
            }
            guard entries.count <= mostEntries, Set(entries.map(\.domain)).count == entries.count else {
                throw call.parameters.refusal(of: "SniConfig", "at most \(mostEntries) domains, each once")
            }
            let domains = call.service.configuration.domains
            if let entry = entries.first(where: { domains.reserves($0.domain, fromInstance: instance.id) }) {
                throw call.parameters.refusal(
                    of: "SniConfig",
                    "'\(excerpt(entry.domain))' is one of the service's own names: \(domains.all.joined(separator: ", ")) "
                        + "and what is below belong to it, but for \(domains.names(ofInstance: instance.id)[0])"
                )
            }
            let configuration = ServerNameConfiguration(
                instance: instance.number,
                defaultCertificate: standard,
                entries: entries,
            )
            try call.change([.putServerNames(configuration)], in: instance.id)
            return ["Success": "true"]
        }
    ]
}
