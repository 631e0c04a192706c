internal import ApusCrypto
internal import ApusMessage

/// Passwords that were right a while ago, so that a storm of reconnects does not pay for slow hashes again.
///
/// Keeps no password: HMAC-SHA-256 under a key that only this process knows. Bounded; at the bound the user that was
/// added first is forgotten.
struct VerifiedPasswords: Sendable {
    private let capacity: Int
    private var tags: [ExactText: [UInt8]] = [:]
    /// User names in the order of their addition, a ring of `capacity`.
    private var order: [ExactText] = []
    private var oldest = 0

    init(capacity: Int) {
        precondition(capacity >= 0)
        self.capacity = capacity
    }

    var count: Int { tags.count }

    func contains(_ userName: String, tag: [UInt8]) -> Bool {
        guard let known = tags[ExactText(userName)] else { return false }
        return constantTimeEqual(known, tag)
    }

    mutating func insert(_ userName: String, tag: [UInt8]) {
        guard capacity > 0 else { return }
        let userName = ExactText(userName)
        if tags.updateValue(tag, forKey: userName) != nil { return }
        if order.count < capacity {
            order.append(userName)
        } else {
            tags[order[oldest]] = nil
            order[oldest] = userName
            oldest = (oldest + 1) % capacity
        }
    }

    mutating func removeAll() {
        tags.removeAll()
        order.removeAll()
        oldest = 0
    }
}
