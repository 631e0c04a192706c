package import ApusMessage
package import ApusStore
package import MQTTCodec

/// Sizes and limits of the format on disk; `docs/decisions` has the whole picture.
///
/// All integers are little-endian; segment header, batches and records begin at multiples of eight bytes.
package enum LogFormat {
    /// The number in the file `format`.
    package static let version = 1
    package static let alignment = 8
    /// A batch is handed over from this size on, so that a record always begins below `maximumOffset`.
    package static let batchBytes = 1 << 20
    /// The offset of a message in its batch stays below.
    package static let maximumOffset = 1 << 23
    /// What makes up a session stands in one batch up to here.
    static let stateBytes = 1 << 28
    /// A record's body stays below; far above a message of the largest size with recipients for every session.
    static let maximumBody = 1 << 30
    /// Of a position, for the place in the batch; the batch's number stands above.
    static let offsetBits: UInt64 = 20
    /// What a position has room for.
    static let maximumBatchNumber: UInt64 = 1 << 44 - 1

    @inline(__always)
    static func padded(_ count: Int) -> Int { (count &+ 7) & ~7 }

    /// The position of the record at this offset from the start of its batch; records of sessions that stand beyond
    /// `maximumOffset` have the last one, as nobody refers to them.
    @inline(__always)
    package static func position(batch: UInt64, offset: Int) -> StorePosition {
        let place = min(UInt64(truncatingIfNeeded: offset &>> 3), 1 &<< offsetBits &- 1)
        return StorePosition(rawValue: batch &<< offsetBits | place)
    }
}

extension StorePosition {
    /// The number of the batch that the position belongs to.
    package var batchNumber: UInt64 { rawValue >> 20 }
    /// From the start of that batch, in bytes.
    package var offsetInBatch: Int { Int(rawValue & 0xF_FFFF) << 3 }
}

/// The first byte of a record's body.
enum RecordType: UInt8, CaseIterable {
    case message = 1
    case finished
    case assigned
    case session
    case sessionEnded
    case subscribed
    case unsubscribed
    case inbound
    case released
    case sent
    case received
    case completed
}

/// What a session's subscription makes of a message, as it stands on disk and in queues.
///
/// Bits 0–27 the subscription identifier, 28–29 the QoS, 30 the RETAIN flag, 31 that more stands elsewhere: on disk the
/// shared subscription's filter, in a queue that or further identifiers.
package struct DeliverySpec: Sendable, Hashable {
    package var rawValue: UInt32

    @inline(__always)
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package init(_ recipient: Recipient) {
        rawValue =
            recipient.subscriptionIdentifier & 0xFFF_FFFF | UInt32(recipient.qos.rawValue) << 28
            | (recipient.retain ? 1 << 30 : 0) | (recipient.group == nil ? 0 : 1 << 31)
    }

    package var subscriptionIdentifier: UInt32 { rawValue & 0xFFF_FFFF }
    /// 1 or 2; 0 in no valid spec.
    package var qosBits: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 28 & 3) }
    package var qos: QoS { QoS(rawValue: qosBits) ?? .atLeastOnce }
    package var retain: Bool { rawValue & 1 << 30 != 0 }
    package var hasMore: Bool {
        get { rawValue & 1 << 31 != 0 }
        set { rawValue = newValue ? rawValue | 1 << 31 : rawValue & ~(1 << 31) }
    }
    /// Whether the QoS is one that a store keeps messages for.
    var isValid: Bool { qosBits == 1 || qosBits == 2 }
}

/// Why a record cannot be used.
package enum RecordDamage: Error, Equatable, Sendable {
    /// Its length is impossible, or points behind the bytes at hand.
    case truncated
    /// Checksum and contents differ.
    case checksum
    /// The checksum is right and the contents make no sense: written by another version, or a defect of ours.
    case malformed
}
