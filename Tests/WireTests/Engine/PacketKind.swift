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

    /// The reason codes that 5.0 lets a server send in this packet; nil for packets without.
    var reasonCodesFromServer: Set<UInt8>? {
        let receipt: Set<UInt8> = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
        return switch self {
        case .connack: Set([0x00, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F] + Array(0x80...0x8C))
        case .puback, .pubrec: receipt
        case .pubrel, .pubcomp: [0x00, 0x92]
        case .suback: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]
        case .unsuback: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]
        // Everything from 0x8D on but 0x91 and 0x92 and those about connecting.
        case .disconnect: Set([0x00, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90] + Array(0x93...0xA2))
        case .auth: [0x00, 0x18]
        default: nil
        }
    }
}
