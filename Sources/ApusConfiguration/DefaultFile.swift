extension Configuration {
    /// The commented file that `apus config default` prints; reading it gives the built-in defaults.
    package static var defaultYAML: String {
        var lines = [
            "# Configuration of Apus. Every key is here with its default; keys that are left out keep it.",
            "# Environment variables lie over this file (limits.packetBytes: APUS_LIMITS_PACKET_BYTES), options of the",
            "# command line over both. `apus config check` reads a file and reports everything that is wrong with it.",
        ]
        var section = ""
        for setting in Setting.all {
            let parts = setting.key.split(separator: ".", maxSplits: 1).map(String.init)
            let indent = parts.count == 2 ? "    " : ""
            if parts.count == 1 || parts[0] != section {
                lines.append("")
                if parts.count == 2 { lines.append("\(parts[0]):") }
            }
            section = parts.count == 2 ? parts[0] : ""
            lines += comment(setting, indent: indent)
            lines.append(indent + assignment(setting, name: parts[parts.count - 1]))
            if setting.key == "io" { lines += ["", listenersPart] }
            if setting.key == "tls.clientCertificate" { lines.append(hostsPart) }
            if setting.key == "authentication.certificateInstances" { lines.append(loginsPart) }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func assignment(_ setting: Setting, name: String) -> String {
        if let text = setting.text(Configuration()) { return "\(name): \(text)" }
        return "# \(name): \(setting.example ?? "")"
    }

    private static func comment(_ setting: Setting, indent: String) -> [String] {
        let effect = setting.effect == .live ? " SIGHUP changes it live." : ""
        let text = "\(setting.documentation)\(effect) (\(setting.values))"
        var lines: [String] = []
        var line = "\(indent)#"
        for word in text.split(separator: " ") {
            if line.count + word.count + 1 > 110 {
                lines.append(line)
                line = "\(indent)#"
            }
            line += " \(word)"
        }
        return lines + [line]
    }

    private static let listenersPart = """
        # Where connections are accepted: URLs, or mappings with more to say. Protocols: mqtt (1883), mqtts (8883),
        # ws (8083), wss (8084), unix:/path. Port 0 lets the system choose. Beyond this machine: 0.0.0.0 or [::].
        # APUS_LISTENERS and --listen replace the list; several URLs are separated by commas.
        listeners:
            - mqtt://127.0.0.1:1883
            - ws://127.0.0.1:8083
            # - url: mqtts://0.0.0.0:8883
            #   # Connections begin with the PROXY protocol's header. (off, v1, v2, any)
            #   proxyProtocol: off
            #   # At most so many at once; without it only limits.connections counts. (a number from 1 to 10000000)
            #   maximumConnections: 10000
            #   # false refuses anonymous clients here whatever authentication.anonymous says. (true or false)
            #   allowAnonymous: true
            #   # The instance of clients that name none by user name or host; without it the first that runs. Only
            #   # with the management API. (an instance id)
            #   instance: post-cn-apus00001
            #   # Instead of the section tls below, with the same keys.
            #   tls:
            #       certificate: /etc/apus/server.pem
            #       key: /etc/apus/server.key
            #       clientCA: /etc/apus/clients.pem
            #       clientCertificate: none
            #       hosts: []
        """

    private static let loginsPart = """
            # JSON Web Tokens as passwords, in instances of the profile `standard`. `exp` is required; `nbf`, `sub` (the
            # user name), `client_id` and `acl` are obeyed. Without `instance` an entry is for all instances that have
            # none of their own. SIGHUP changes it live and reads the keys anew. (a list; as a variable one line of YAML)
            # jwt:
            #     - instance: local
            #       # What `iss` and `aud` must say; without them they may say anything.
            #       issuer: https://login.example.org
            #       audience: apus
            #       # How far the clocks of issuer and service may be apart. (a number from 0 to 3600)
            #       leewaySeconds: 0
            #       # Tried in this order. A key with an `id` is for tokens with this `kid`, or with none.
            #       keys:
            #           # RS256 or ES256, by the kind of the key (PEM).
            #           - id: key-1
            #             publicKeyFile: /etc/apus/login.pem
            #           # HS256: the bytes of the file without a line break at its end, 32 at least.
            #           - secretFile: /etc/apus/login.secret
            # HTTP services that are asked at each CONNECT whose user name is of no other mode. They get a POST of
            # {"instanceId","clientId","username","password","clientIp","protocolVersion"} and answer 200 with JSON of at
            # most 4 KB, {"result":"allow|deny","expireAt":ms,"acl":[…]}; anything else refuses the client. SIGHUP
            # changes it live. (a list; as a variable one line of YAML)
            # http:
            #     - instance: local
            #       url: https://login.example.org/mqtt
            #       # For a whole call. (a number from 1 to 60000)
            #       timeoutMilliseconds: 3000
            #       # So many at a time. (a number from 1 to 10000)
            #       calls: 64
            #       # Logins that wait for a call; beyond, clients are told that the server is busy. (from 0 to 1000000)
            #       waitingCalls: 1024
            #       # The authorities of the service's certificate (PEM), instead of the system's.
            #       caFile: /etc/apus/login-ca.pem
        """

    private static let hostsPart = """
            # Other certificates for clients that ask for these server names. SIGHUP changes it live. (a list)
            # hosts:
            #     - name: mqtt.example.org
            #       certificate: /etc/apus/example.pem
            #       key: /etc/apus/example.key
        """
}
