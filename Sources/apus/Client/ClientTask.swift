internal import ApusLoop
internal import MQTTClient
internal import MQTTCodec

/// What a task can use in its turn: the machine, and what has to be sent and handled.
struct Client {
    var machine: MQTTClientMachine
    var actions = ClientActions()
    /// When the turn began.
    var now: Duration
    /// Bytes that the socket has not taken yet.
    var unsentBytes = 0

    /// Whether enough waits to be sent, so that more had better wait where it comes from.
    var isCongested: Bool { unsentBytes + actions.bytes.count >= 256 << 10 }
}

/// What a command does with its connection; a value that the runner drives turn by turn.
protocol ClientTask {
    /// The broker has accepted a connection: the first, or one after a loss.
    mutating func connected(_ packet: ConnAck, _ client: inout Client)
    /// Something else happened than the beginning or the end of a connection.
    mutating func handle(_ event: ClientEvent, _ client: inout Client)
    /// Standard input had something.
    mutating func receive(_ input: AvailableInput, _ client: inout Client)
    /// The end of each turn on a connection that the broker has accepted.
    mutating func proceed(_ client: inout Client)

    /// Whether it can take standard input now.
    var wantsInput: Bool { get }
    /// Whether `proceed` has more to do as soon as the socket takes more.
    var hasMore: Bool { get }
    /// When `proceed` has something to do though nothing has happened.
    var deadline: Duration? { get }
    /// Set when the task is done.
    var ending: ClientEnding? { get }
    /// What the person asked for, judged when the task is ended from outside.
    var isComplete: Bool { get }
    /// A sentence about what was done.
    var summary: String { get }
    var output: LineOutput { get set }
}

/// How a command ends: the exit code, and what is to be said.
struct ClientEnding: Equatable {
    let code: Int32
    let words: String?

    static let success = ClientEnding(code: 0, words: nil)
    /// The broker said no, or the wish was not fulfilled.
    static func refused(_ words: String?) -> ClientEnding { ClientEnding(code: 1, words: words) }
    static func connectionFailed(_ words: String) -> ClientEnding { ClientEnding(code: 3, words: words) }
    /// As shells count it.
    static func interrupted(_ signal: OperatorSignal) -> ClientEnding {
        switch signal {
        case .reload: ClientEnding(code: 128 + 1, words: nil)
        case .interrupt: ClientEnding(code: 128 + 2, words: nil)
        case .terminate: ClientEnding(code: 128 + 15, words: nil)
        }
    }
}
