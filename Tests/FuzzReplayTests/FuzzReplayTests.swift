import Foundation
import MQTTCodec
import Testing

/// What the fuzzers began with and what they found, without the fuzzers; see FuzzTesting/README.md.
@Suite("Saved inputs of the fuzzers")
struct FuzzReplayTests {
    @Test(arguments: Corpus.decoder.files)
    func `a saved packet survives its round trip or is refused`(name: String) throws {
        try checkPackets(Corpus.decoder.bytes(name))
    }

    @Test(arguments: Corpus.connection.files)
    func `a saved conversation keeps every bound and leaves nothing behind`(name: String) throws {
        try checkConnections(Corpus.connection.bytes(name))
    }

    @Test(arguments: Corpus.webSocket.files)
    func `a saved stream in front of MQTT reads the same whole and in pieces`(name: String) throws {
        try checkWebSocket(Corpus.webSocket.bytes(name))
    }

    @Test func `together the conversations make the broker send every packet that a server may send`() throws {
        var types: Set<PacketType> = []
        for seed in connectionSeeds { types.formUnion(try checkConnections(seed.bytes)) }
        let ofClients: Set<PacketType> = [.connect, .subscribe, .unsubscribe, .pingReq]
        #expect(types == Set(PacketType.allCases).subtracting(ofClients))
    }

    /// `APUS_WRITE_SEEDS=1` writes them instead.
    @Test func `the corpus holds every seed as it is generated`() throws {
        for (corpus, seeds) in [(Corpus.connection, connectionSeeds), (.webSocket, webSocketSeeds)] {
            for seed in seeds {
                if ProcessInfo.processInfo.environment["APUS_WRITE_SEEDS"] != nil {
                    try corpus.write(seed.bytes, seed.name)
                }
                #expect(try corpus.bytes(seed.name) == seed.bytes, "\(seed.name)")
            }
        }
    }

    @Test(arguments: connectionSeeds.indices)
    func `a conversation that stops anywhere leaves nothing behind`(seed: Int) throws {
        let bytes = connectionSeeds[seed].bytes
        for end in stride(from: 0, to: bytes.count, by: 7) { try checkConnections(Array(bytes[..<end])) }
    }
}

/// The folder of one fuzzer's inputs.
enum Corpus: String {
    case decoder = "Decoder"
    case connection = "Connection"
    case webSocket = "WebSocket"

    private var folder: URL {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../FuzzTesting/Corpus/\(rawValue)")
    }

    /// Names in order; empty before the first seed is written.
    var files: [String] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))
        return (names ?? []).filter { !$0.hasPrefix(".") }.sorted()
    }

    func bytes(_ name: String) throws -> [UInt8] { try Array(Data(contentsOf: folder.appending(path: name))) }

    func write(_ bytes: [UInt8], _ name: String) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(bytes).write(to: folder.appending(path: name))
    }
}
