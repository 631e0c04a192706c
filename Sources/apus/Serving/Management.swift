internal import ApusBroker
internal import ApusConfiguration
internal import ApusResources
internal import Synchronization

/// The management side of a running service: what stands in the catalog at the start, and the API.
///
/// Order of use: `init`, then `start` when clients can connect, then `stop`.
final class Management: Sendable {
    private let tenancy: Tenancy
    private let configuration: Configuration
    private let events: any EventSink
    /// The administrator's key, when this was the first start.
    private let firstKey: AccessKey?

    init(
        _ configuration: Configuration,
        tenancy: Tenancy,
        broker: Broker,
        resources: String?,
        events: any EventSink,
    ) throws {
        self.tenancy = tenancy
        self.configuration = configuration
        self.events = events
        tenancy.watch(broker)
        if let resources {
            firstKey = nil
            for line in try tenancy.apply(file: resources) {
                events.record(BrokerEvent(.notice, "resources.applied", [("file", resources), ("change", line)]))
            }
        } else {
            firstKey = try FirstStart.prepare(tenancy.manager)
        }
    }

    /// - Parameter endpoints: URLs at which clients connect.
    /// - Returns: what to print.
    func start(_ endpoints: [String]) throws -> [String] {
        let api = configuration.api.listen ?? ""
        try FirstStart.writeLogin(firstKey, api: api, in: configuration.data.directory)
        let greeting = firstKey.map { FirstStart.greeting($0, api: api, endpoint: endpoints.first) } ?? []
        return ["api \(api)"] + greeting
    }

    func stop() {}
}
