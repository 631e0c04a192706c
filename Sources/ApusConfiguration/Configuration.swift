/// Everything that an operator can decide about a broker.
///
/// The values here are the built-in defaults; `Setting.all` holds dotted key, range and documentation of each.
package struct Configuration: Sendable, Equatable {
    package struct Data: Sendable, Equatable {
        /// When an acknowledgement leaves (docs/guarantees.md).
        package enum Durability: String, Sendable, CaseIterable {
            /// When the disk has it.
            case power
            /// When the operating system has it.
            case process
            /// At once; nothing outlives the process.
            case memory
        }

        package var directory = "apus-data"
        package var durability = Durability.power
        package var segmentBytes = 64 << 20
        package var maximumBytes = 0
        package var messageRetentionSeconds = 0
    }

    package struct Authentication: Sendable, Equatable {
        package enum Anonymous: String, Sendable, CaseIterable {
            case loopback, never
        }

        package var anonymous = Anonymous.loopback
        package var passwordFile: String?
        package var scram = true
        package var userNameFromCertificate = false
        package var failuresPerAddress = 5
        /// Blank-separated.
        package var certificateInstances: String?
        package var jwt: [JWTLogin] = []
        package var http: [HTTPLogin] = []
    }

    package struct Authorization: Sendable, Equatable {
        package var aclFile: String?
    }

    package struct Limits: Sendable, Equatable {
        package var connections = 100_000
        package var sessions = 1_000_000
        package var packetBytes = 1 << 20
        package var connectPacketBytes = 32 << 10
        package var topicLevels = 128
        package var topicBytes = 65_535
        package var subscriptionsPerClient = 10_000
        package var receiveMaximum = 256
        package var inFlightMessages = 256
        package var queuedMessagesPerSession = 10_000
        package var queuedBytesPerSession = 16 << 20
        package var outputBytesPerConnection = 4 << 20
        package var sessionExpirySeconds = 604_800
        package var topicAliases = 32
        package var keepAliveSeconds = 0
        package var retainedMessages = 1_000_000
        package var retainedBytes = 256 << 20
        package var connectSeconds = 10
        package var shardBacklogBytes = 16 << 20
    }

    /// The management API; with it, accounts, instances and credentials come from the catalog.
    package struct API: Sendable, Equatable {
        /// `http://HOST:PORT` or `https://HOST:PORT`; `nil` for a broker without catalog and API.
        package var listen: String?
        /// PEM files for https; `nil`: those of `tls`.
        package var certificate: String?
        package var key: String?
        /// Blank-separated.
        package var domains = "localhost"
    }

    package struct Trace: Sendable, Equatable {
        package var events = 100_000
    }

    package struct Statistics: Sendable, Equatable {
        package var intervalSeconds = 10
    }

    package struct Logging: Sendable, Equatable {
        package enum Level: String, Sendable, CaseIterable {
            case debug, info, notice, warning, error
        }
        package enum Format: String, Sendable, CaseIterable {
            case auto, text, json
        }

        package var level = Level.info
        package var format = Format.auto
    }

    package enum IO: String, Sendable, CaseIterable {
        case epoll
    }

    package struct Shutdown: Sendable, Equatable {
        package var graceSeconds = 10
        package var serverReference: String?
    }

    package var data = Data()
    package var listeners = Listener.defaults
    /// For TLS listeners that have no `tls` of their own.
    package var tls = TLS()
    package var shards = 0
    package var authentication = Authentication()
    package var authorization = Authorization()
    package var limits = Limits()
    package var api = API()
    package var trace = Trace()
    package var statistics = Statistics()
    package var logging = Logging()
    package var io = IO.epoll
    package var shutdown = Shutdown()

    /// The built-in defaults.
    package init() {}

    /// The TLS settings that hold for a listener; `nil` for one without TLS.
    package func effectiveTLS(of listener: Listener) -> TLS? {
        listener.address.scheme.isTLS ? listener.tls ?? tls : nil
    }

    /// Certificate and key of the management API; `nil` when it has no TLS, or one of them is missing.
    package var apiCertificate: (certificate: String, key: String)? {
        guard isAPISecure else { return nil }
        let ownsOne = api.certificate != nil || api.key != nil
        guard let certificate = ownsOne ? api.certificate : tls.certificate, let key = ownsOne ? api.key : tls.key
        else { return nil }
        return (certificate, key)
    }

    /// Whether the management API speaks https.
    package var isAPISecure: Bool { api.listen?.hasPrefix("https:") ?? false }
}
