/// Names one request of the application in the events that answer it; unique within a machine.
public struct ClientToken: Sendable, Hashable {
    /// Ascending in the order of the requests.
    public let number: UInt64

    init(number: UInt64) { self.number = number }
}

/// Names a received message that waits for the application's acknowledgement.
public struct DeliveryToken: Sendable, Hashable {
    let packetIdentifier: UInt16
    let serial: UInt64
}
