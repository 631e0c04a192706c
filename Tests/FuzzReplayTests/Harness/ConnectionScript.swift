import ApusMessage

/// One step of what happens to a broker, as an input's bytes tell it.
///
/// Each step begins with a byte: the low three bits are the kind, the next two the peer, the upper three `more`. Any bytes
/// are a script, so that a mutation of one is another.
enum ScriptStep {
    /// Kind 0: a count, then as many bytes for the broker.
    case send([UInt8])
    /// Kind 1: a byte, to be sent 600 times (`more` + 1).
    case fill(UInt8, count: Int)
    /// Kind 2.
    case close
    /// Kind 3: a byte, whose low half is the power of two of 100 ms.
    case wait(milliseconds: Int64)
    /// Kind 4.
    case stopReading
    /// Kind 5: reads 40 bytes for each `more`; 0 reads all from now on.
    case read(limit: Int?)
    /// Kind 6: sends again what was last sent, 4 × (`more` + 1) times.
    case repeatLast(times: Int)
    /// Kind 7: something from outside; `more` says what.
    case outside(Outside)

    enum Outside: UInt8 {
        case admitWaiting, refuseWaiting, changeRights, lowerLimits, endConnection, endSession, shutDown, sendByteByByte
    }

    init(_ reader: inout InputReader, kind: UInt8, more: UInt8) {
        switch kind {
        case 0: self = .send(reader.bytes(Int(reader.byte())))
        case 1: self = .fill(reader.byte(), count: 600 * (Int(more) + 1))
        case 2: self = .close
        case 3: self = .wait(milliseconds: 100 << Int64(reader.byte() & 0x0F))
        case 4: self = .stopReading
        case 5: self = .read(limit: more == 0 ? nil : 40 * Int(more))
        case 6: self = .repeatLast(times: 4 * (Int(more) + 1))
        default: self = .outside(Outside(rawValue: more) ?? .admitWaiting)
        }
    }
}

/// The first byte of a script: how its broker is set up.
struct ScriptSetUp: OptionSet {
    let rawValue: UInt8

    static let twoShards = ScriptSetUp(rawValue: 1)
    static let largePackets = ScriptSetUp(rawValue: 2)
    static let rights = ScriptSetUp(rawValue: 4)
    static let refusesDuplicates = ScriptSetUp(rawValue: 8)
    static let closesOnDenial = ScriptSetUp(rawValue: 16)
    static let noQoS2 = ScriptSetUp(rawValue: 32)
    static let keepAlive = ScriptSetUp(rawValue: 64)
    static let statistics = ScriptSetUp(rawValue: 128)

    /// Small enough that a script of a few hundred bytes comes to every one of them.
    var limits: Limits {
        var limits = Limits()
        limits.connections = 3
        limits.sessions = 5
        limits.packetBytes = contains(.largePackets) ? 16_384 : 1_024
        limits.connectPacketBytes = 512
        limits.topicLevels = 16
        limits.subscriptionsPerClient = 8
        limits.receiveMaximum = 4
        limits.inFlightMessages = 4
        limits.queuedMessagesPerSession = 8
        limits.queuedBytesPerSession = 4_096
        limits.outputBytesPerConnection = 2_048
        limits.sessionExpirySeconds = Self.sessionExpirySeconds
        limits.topicAliases = 3
        limits.retainedMessages = 8
        limits.retainedBytes = 4_096
        limits.shardBacklogBytes = 2_048
        limits.keepAliveSeconds = contains(.keepAlive) ? 60 : 0
        return limits
    }

    static let sessionExpirySeconds: UInt32 = 3_600
}
