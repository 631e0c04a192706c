package import ApusLoop
package import ApusResources

/// How the management API is served.
package struct ManagementConfiguration: Sendable {
    /// A name or an address.
    package var host: String
    /// 0 for any that is free.
    package var port: Int
    /// Certificate and key of https, which may be replaced meanwhile; `nil` for http.
    package var tls: TLSContextBox?
    /// What `ListInstances` calls the region.
    package var region = "local"
    /// Addresses of the MQTT listeners, shown with each instance: `mqtt://127.0.0.1:1883`.
    package var endpoints: [String] = []
    /// Names in them are no instance's to set.
    package var domains = ServiceDomains("")
    /// Whether `/metrics` answers callers who are not on this machine and show no access key.
    package var metricsAreOpen = false
    /// Whether accounts are held to the rates of the RPC API's actions and of the REST API's operations.
    package var isThrottled = true
    /// Live connections; more wait in the listener's queue.
    package var maximumConnections = 1_024
    /// Live connections of one address; a further one is closed.
    package var connectionsPerAddress = 256
    /// Seconds for which a connection may bring no part of a request: neither a whole head nor anything of a body.
    package var idleSeconds = 60
    /// Seconds within which a request's body must have come as a whole, as many for taking its answer; a head has no more
    /// than these and `idleSeconds`.
    package var transferSeconds = 120
    /// Bytes of the bodies of all requests that are being received or answered.
    package var bodyMemory = 64 << 20
    /// Bytes of the heads and trailers of all requests that are being received.
    package var headMemory = 16 << 20

    package init(host: String = "127.0.0.1", port: Int) {
        self.host = host
        self.port = port
    }
}
