internal import ApusBroker
internal import ApusMessage
internal import ApusResources
internal import MQTTCodec

/// Why a message through the API was not taken.
enum PublishRefusal: Error, Equatable {
    case topic(TopicRefusal)
    case payload(String)
    /// A bound of the broker that holds for every message.
    case bound(String)
    /// Too many messages in this second.
    case rate(String)
    /// The broker, or the state of the instance.
    case broker(String)
}

extension ManagementService {
    /// Checks the rules of the instance for a message.
    func check(topic: String, payloadBytes: Int, in instance: Instance) throws(PublishRefusal) {
        guard instance.state == .running else {
            throw .broker("the instance '\(instance.id)' is stopped; it takes no messages")
        }
        do throws(TopicRefusal) {
            try TopicRule(directory: directory, instance: instance).check(topic: topic)
        } catch { throw .topic(error) }
        let most = instance.effectiveLimits.payloadBytes
        guard most == 0 || payloadBytes <= most else {
            throw .payload("the payload has \(payloadBytes) bytes; payloadBytes allows \(most)")
        }
    }

    /// Publishes a message that was checked.
    func publish(_ message: ManagedPublish) async throws(PublishRefusal) -> PublishReport {
        let report = await broker.publish(message)
        switch report.outcome {
        case .accepted, .nobody: return report
        case .forbidden(let reason): throw .bound(reason)
        case .throttled(let reason): throw .rate(reason)
        case .refused(let reason): throw .broker(reason)
        }
    }
}
