/// A user name of CONNECT, taken apart: `<mode>|<identity>|<instance id>` of the service's own modes (apsaramq-facts
/// 2.2), or any other text.
///
/// Cut by bytes, because for `String` a `|` with a combining mark behind it is another character.
enum ServiceUserName: Sendable, Equatable {
    /// How the password proves the identity.
    enum Mode: String, Sendable, CaseIterable {
        case signature = "Signature"
        case token = "Token"
        case deviceCredential = "DeviceCredential"
    }

    case service(Mode, identity: String, instanceID: String)
    /// Begins as one of the modes but has not three parts that are not empty.
    case incomplete(Mode)
    case plain

    init(_ text: String) {
        let bar = UInt8(ascii: "|")
        let parts = text.utf8.split(separator: bar, maxSplits: 3, omittingEmptySubsequences: false)
        guard let mode = Mode.allCases.first(where: { parts[0].elementsEqual($0.rawValue.utf8) }), parts.count > 1
        else {
            self = .plain
            return
        }
        guard parts.count == 3, !parts[1].isEmpty, !parts[2].isEmpty else {
            self = .incomplete(mode)
            return
        }
        self = .service(
            mode,
            identity: String(Substring(parts[1])),
            instanceID: String(Substring(parts[2])),
        )
    }
}

extension ServiceUserName.Mode {
    /// What the first part must be, for a sentence.
    var identityName: String {
        switch self {
        case .signature, .token: "AccessKeyId"
        case .deviceCredential: "DeviceAccessKeyId"
        }
    }

    /// As logins are counted.
    var loginMode: LoginMode {
        switch self {
        case .signature: .signature
        case .token: .token
        case .deviceCredential: .deviceCredential
        }
    }

    /// How user name and password are written, for a sentence.
    var form: String {
        let userName = "user name `\(rawValue)|<\(identityName)>|<InstanceId>`"
        return switch self {
        case .signature: "\(userName), password Base64(HMAC-SHA1(AccessKeySecret, client id))"
        case .token: "\(userName), password `<R, W or RW>|<token>`, several joined by `|`"
        case .deviceCredential: "\(userName), password Base64(HMAC-SHA1(DeviceAccessKeySecret, client id))"
        }
    }
}
