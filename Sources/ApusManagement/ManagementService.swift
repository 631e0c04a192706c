internal import ApusBroker
internal import ApusResources

/// What the RPC and the REST API work on.
struct ManagementService: Sendable {
    let configuration: ManagementConfiguration
    let manager: ResourceManager
    let broker: any BrokerControl
    /// Unix milliseconds.
    let clock: @Sendable () -> Int64

    var directory: ResourceDirectory { manager.directory }
}
