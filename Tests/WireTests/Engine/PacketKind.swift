/// The control packets by their number in the fixed header.
enum PacketKind: UInt8, CaseIterable, Sendable {
    case connect = 1, connack, publish, puback, pubrec, pubrel, pubcomp
    case subscribe, suback, unsubscribe, unsuback, pingreq, pingresp, disconnect, auth

    /// The name as the specification writes it.
    var name: String { "\(self)".uppercased() }

    init?(name: String) {
        guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = kind
    }

    /// The lower four bits that the specification demands; PUBLISH has its own.
    var flags: UInt8 {
        switch self {
        case .pubrel, .subscribe, .unsubscribe: 0b0010
        default: 0
        }
    }
}
