internal import ApusResources

/// Who calls: the access key that the request has proven.
struct Caller: Sendable {
    var key: AccessKey
    /// The caller's address with port.
    var address: String

    var isAdministrator: Bool { key.rights == .administrator }

    var actor: ResourceManager.Actor { ResourceManager.Actor(name: key.id, source: address) }

    /// Whether the key's rights include the right.
    func has(_ rights: AccessKey.Rights) -> Bool { key.rights.rank >= rights.rank }

    /// Whether the instance is of those that the key is for.
    func owns(_ instance: Instance) -> Bool { isAdministrator || instance.account == key.account }
}

extension AccessKey.Rights {
    /// Each right includes those of a lower rank.
    var rank: Int {
        switch self {
        case .administrator: 2
        case .manager: 1
        case .data: 0
        }
    }
}
