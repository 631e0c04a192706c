internal import ApusLoop
internal import ApusMemory
internal import MQTTCodec
internal import WebSocketCodec

/// One connection of a worker.
struct BenchClient: ~Copyable {
    enum Phase: UInt8, Comparable {
        case dialling
        case tlsHandshake
        case upgrade
        case awaitingConnAck
        case awaitingSubAck
        case ready
        /// DISCONNECT was sent.
        case leaving

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    let socket: Descriptor
    let role: BenchNames.Role
    /// Among the worker's publishers or subscribers.
    let number: Int
    /// When it was due to be made, in nanoseconds.
    let began: Int64
    var phase = Phase.dialling
    /// Its layers in the worker's table; -1 for plain TCP.
    var layer: Int32 = -1
    /// Whether output goes into WebSocket frames.
    var isFramed = false
    var isDirty = false
    /// What the socket has not taken yet.
    var output = OutputQueue()
    /// The beginning of a packet whose end has not come.
    var partial: [UInt8] = []

    init(socket: consuming Descriptor, role: BenchNames.Role, number: Int, began: Int64) {
        self.socket = socket
        self.role = role
        self.number = number
        self.began = began
    }
}

/// TLS and WebSocket of one connection.
struct ClientLayer {
    var tls: TLSSession?
    /// The request and what must answer it; nil without WebSocket.
    var handshake: ClientHandshake?
    var accept: [UInt8] = []
    /// The answer to the upgrade so far.
    var answer: [UInt8] = []
    var frames: WebSocketInput?
    /// The server's last words, once it has closed the WebSocket.
    var farewell: String?
    /// MQTT bytes that become one frame at the next flush.
    var unframed: [UInt8] = []
}

/// What a worker knows of one publisher.
struct PublisherState {
    /// Among all publishers.
    let index: Int
    /// Its connection; nil while there is none.
    var client: Int?
    /// How many messages it sends; nil until the time is over.
    var total: Int?
    var sent = 0
    var window: SendWindow
    /// Deliveries of its messages that are still to come.
    var owed = 0
    /// The most that may be owed.
    let owedLimit: Int
    /// Fixed header and topic; empty where each message has another topic.
    var head: [UInt8] = []
    /// How many messages each of its streams has; empty unless streams are numbered so.
    var sequences: [UInt32] = []
    var isHungry = false
    /// How many of its retained messages were removed again.
    var cleared = 0

    var isFinished: Bool { total.map { sent >= $0 } ?? false }
}

/// What a worker knows of one subscriber.
struct SubscriberState {
    /// Among all subscribers.
    let index: Int
    var client: Int?
    var filtersSent = 0
    /// Its first tracker in the worker's table.
    let firstTracker: Int
    var received = ReceivedIdentifiers()
}
