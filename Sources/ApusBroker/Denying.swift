internal import ApusMemory
internal import ApusMessage
internal import ApusSession
internal import ApusTopics
internal import MQTTCodec

// Why a publication or a subscription is refused, in words: for the log, and for 5.0 clients that ask for them.

extension Shard {
    /// Why a filter cannot be subscribed to; `nil` when it can.
    func refusal(of filter: TopicFilter, _ slot: Int, _ session: Int) -> (ReasonCode, String)? {
        if filter.bytes.count > limits.topicBytes {
            return (.topicFilterInvalid, "`\(Self.excerpt(filter.fullText))` is longer than \(limits.topicBytes) bytes")
        }
        if filter.levelCount > limits.topicLevels {
            return (
                .topicFilterInvalid, "`\(Self.excerpt(filter.fullText))` has more than \(limits.topicLevels) levels"
            )
        }
        let principal = connections[slot].details.principal
        switch broker.authorizer?.denial(of: .subscribe, to: filter.text, for: principal) {
        case .none: break
        case .rule(let sentence): return (.notAuthorized, sentence)
        case .noRight:
            return (.notAuthorized, "\(who(slot)) may not subscribe to `\(Self.excerpt(filter.fullText))`")
        }
        guard !sessions[session].subscriptions.contains(filter) else { return nil }
        let own = instanceLimits(slot)
        let most = Tenant.lower(own.subscriptionsPerClient, limits.subscriptionsPerClient)
        if sessions[session].subscriptions.count >= most {
            return (.quotaExceeded, "the session is at its limit subscriptionsPerClient of \(most)")
        }
        if own.wildcardSubscriptionsPerParent > 0, let parent = filter.parentOfWildcard,
            instance(ofSession: session).wildcardCount(beneath: parent) >= own.wildcardSubscriptionsPerParent
        {
            let limit = own.wildcardSubscriptionsPerParent
            return (
                .quotaExceeded,
                "the parent topic `\(parent)` is at its limit wildcardSubscriptionsPerParent of \(limit)"
            )
        }
        return nil
    }

    /// Why a QoS 2 subscription does not take effect; `nil` when it does (apsaramq-facts 3.1).
    func refusal(ofQoS asked: QoS, _ slot: Int, _ session: Int) -> (ReasonCode, String)? {
        let qos = min(asked, policies(slot).maximumQoS)
        guard qos == .exactlyOnce, sessions[session].isPersistent, !policies(slot).persistentQoS2 else { return nil }
        return (
            .implementationSpecificError,
            "QoS 2 with cleanSession=false does not take effect in this instance; subscribe with QoS 1 or connect "
                + "with cleanSession=true"
        )
    }

    /// Why the topic may not be published to, for a client that may not.
    func publishDenial(_ slot: Int, _ topic: String, _ denial: AccessDenial) -> String {
        if case .rule(let sentence) = denial { return sentence }
        let place = "`\(Self.excerpt(topic))`"
        return isReserved(topic) ? "only the broker publishes to \(place)" : "\(who(slot)) may not publish to \(place)"
    }

    /// Whom a right is missing.
    func who(_ slot: Int) -> String {
        guard let name = connections[slot].details.principal.userName else { return "an anonymous client" }
        return "user `\(Self.excerpt(name))`"
    }

    /// Logs a refusal, a few of each reason a second.
    ///
    /// - Parameter place: what was refused: the field `topic` or `filter`.
    mutating func recordDenial(
        _ event: String,
        _ slot: Int,
        _ place: (String, String),
        _ reasonCode: ReasonCode,
        _ explanation: String,
    ) {
        guard let suppressed = admits(.notice, event, "\(reasonCode)") else { return }
        var fields: [(String, String)] = []
        if let name = connections[slot].details.principal.userName { fields.append(("user_name", name)) }
        fields.append((place.0, Self.excerpt(place.1)))
        fields += [("reason", "\(reasonCode)"), ("explanation", explanation)]
        if suppressed > 0 { fields.append(("suppressed_before", "\(suppressed)")) }
        record(.notice, event, slot, fields)
    }

    /// The reason string of a SUBACK; `nil` when nothing is refused or the client does not want to know.
    ///
    /// A packet may hold thousands of filters; the first few say what is wrong.
    func reasonString(_ refusals: [String], _ slot: Int) -> String? {
        let details = connections[slot].details
        guard connections[slot].version == .v5, details.wantsProblemInformation, !refusals.isEmpty else { return nil }
        let told = refusals.prefix(3).joined(separator: "; ")
        return refusals.count > 3 ? "\(told); and \(refusals.count - 3) more" : told
    }

    /// At most 200 bytes of what a client said, which may be 64 KiB long.
    private static func excerpt(_ text: String) -> String {
        guard text.utf8.count > 200 else { return text }
        var end = text.utf8.index(text.utf8.startIndex, offsetBy: 200)
        // Not within a character's bytes.
        while text.utf8[end] & 0xC0 == 0x80 { end = text.utf8.index(before: end) }
        return "\(text[..<end])…"
    }
}
