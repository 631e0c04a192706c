package import MQTTCodec

/// An application message as the broker keeps it: immutable, shared by all who still need it.
///
/// It exists only where a message outlives the read buffer that it came in (offline, beyond a send window, retained,
/// a will, held until acknowledged). All bytes stand in one array, so a message costs two allocations whatever its shape.
package final class Message: Sendable {
    /// Topic, forwardable properties and payload, one after the other.
    package let bytes: [UInt8]
    /// `bytes[..<topicEnd]` is the topic name, valid UTF-8 without wildcards.
    package let topicEnd: Int
    /// `bytes[topicEnd..<propertiesEnd]` are the MQTT 5.0 properties that travel with the message, encoded, in the
    /// publisher's order: payload format, content type, response topic, correlation data, user properties.
    package let propertiesEnd: Int
    package let qos: QoS
    package let retain: Bool
    /// When the message stops being worth delivering; `.distantFuture` when the publisher set no expiry.
    package let expiresAt: Timestamp
    /// Where the store holds it; `.none` when nobody needs that.
    package let position: StorePosition
    /// When it came in, from which its time of waiting counts; `.distantFuture` for one that may wait for ever.
    package let receivedAt: Timestamp
    /// The instance whose message it is; nobody of another sees it.
    package let instance: InstanceNumber
    /// What traces know it by while the store does not hold it.
    private let transientNumber: MessageNumber

    package init(
        bytes: [UInt8],
        topicEnd: Int,
        propertiesEnd: Int,
        qos: QoS,
        retain: Bool,
        expiresAt: Timestamp,
        position: StorePosition = .none,
        receivedAt: Timestamp = .distantFuture,
        instance: InstanceNumber,
        number: MessageNumber = .none,
    ) {
        precondition(0 <= topicEnd && topicEnd <= propertiesEnd && propertiesEnd <= bytes.count)
        self.bytes = bytes
        self.topicEnd = topicEnd
        self.propertiesEnd = propertiesEnd
        self.qos = qos
        self.retain = retain
        self.expiresAt = expiresAt
        self.position = position
        self.receivedAt = receivedAt
        self.instance = instance
        transientNumber = number
    }

    /// A message put together from its parts, for wills, `$SYS` and tests.
    package convenience init(
        topic: String,
        payload: [UInt8],
        properties: [UInt8] = [],
        qos: QoS = .atMostOnce,
        retain: Bool = false,
        expiresAt: Timestamp = .distantFuture,
        instance: InstanceNumber = .none,
    ) {
        let topic = Array(topic.utf8)
        self.init(
            bytes: topic + properties + payload,
            topicEnd: topic.count,
            propertiesEnd: topic.count + properties.count,
            qos: qos,
            retain: retain,
            expiresAt: expiresAt,
            instance: instance,
        )
    }

    /// What traces know the message by; `.none` for the broker's own.
    package var number: MessageNumber { position == .none ? transientNumber : MessageNumber(position) }

    /// The same message with the position that a store has given it.
    ///
    /// - Parameter time: when it came in; `nil` for as it was.
    package func stored(at position: StorePosition, receivedAt time: Timestamp? = nil) -> Message {
        Message(
            bytes: bytes,
            topicEnd: topicEnd,
            propertiesEnd: propertiesEnd,
            qos: qos,
            retain: retain,
            expiresAt: expiresAt,
            position: position,
            receivedAt: time ?? receivedAt,
            instance: instance,
        )
    }

    /// The topic name as it came.
    package var topicBytes: [UInt8] { Array(bytes[..<topicEnd]) }
    package var topic: String { String(decoding: bytes[..<topicEnd], as: UTF8.self) }
    package var payload: ArraySlice<UInt8> { bytes[propertiesEnd...] }
    package var payloadCount: Int { bytes.count - propertiesEnd }

    /// The bytes that the message counts against a limit.
    package var footprint: Int { bytes.count + 96 }
}
