internal import Foundation
internal import Glibc

/// A broker process of its own, on a port that the system chose; it ends with the script.
///
/// The binary is `APUS_BINARY`, else the `apus` that was built beside the tests.
final class WireServer {
    private(set) var port: UInt16 = 0
    private let process: pid_t
    private let output: Int32
    private let log: Int32
    /// Its data directory.
    private let data: String
    private var hasEnded = false

    init(environment: [String: String]) throws {
        let pipe = try Self.makePipe()
        output = pipe.read
        log = try Self.makeLog()
        data = try Self.makeData()
        defer { close(pipe.write) }
        process = try Self.spawn(environment: environment, data: data, output: pipe.write, log: log)
        do {
            port = try readPort()
        } catch {
            let logged = logged()
            kill(process, SIGKILL)
            _ = try? reap(until: Deadline(Patience.process))
            throw ScriptError.system("\(error); the broker logged:\n\(logged)")
        }
    }

    deinit {
        if !hasEnded {
            kill(process, SIGKILL)
            var status: Int32 = 0
            waitpid(process, &status, 0)
        }
        close(output)
        close(log)
        // What is left behind hurts no other script.
        try? FileManager.default.removeItem(atPath: data)
    }

    /// Ends the broker as an administrator would; throws when it had crashed, or does not end properly.
    func stop() throws {
        kill(process, SIGTERM)
        guard let status = try reap(until: Deadline(Patience.process)) else {
            throw ScriptError.timedOut("the broker did not end after SIGTERM; it logged:\n\(logged())")
        }
        let signal = status & 0x7F
        let code = status >> 8 & 0xFF
        guard signal == 0, code == 0 else {
            throw ScriptError.unexpected(
                "the broker ended with signal \(signal), code \(code); it logged:\n\(logged())"
            )
        }
    }

    /// The last lines of the broker's log.
    func logged() -> String {
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = buffer.withUnsafeMutableBytes { pread(log, $0.baseAddress, $0.count, off_t(content.count)) }
            guard count > 0 else { break }
            content += buffer.prefix(count)
        }
        return String(decoding: content.suffix(8192), as: UTF8.self)
    }

    // MARK: - Process

    private static func makePipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ScriptError.system("pipe: \(errno)") }
        ends.forEach { _ = fcntl($0, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func makeData() throws -> String {
        var path = Array("/tmp/wire-data-XXXXXX".utf8CString)
        guard mkdtemp(&path) != nil else { throw ScriptError.system("mkdtemp: \(errno)") }
        return String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A nameless file, so that a chatty broker never waits for a reader.
    private static func makeLog() throws -> Int32 {
        var path = Array("/tmp/wire-log-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        guard descriptor >= 0 else { throw ScriptError.system("mkstemp: \(errno)") }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        unlink(path)
        return descriptor
    }

    private static func binary() throws -> String {
        if let named = ProcessInfo.processInfo.environment["APUS_BINARY"] { return named }
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return tests.deletingLastPathComponent().appendingPathComponent("apus").path
    }

    private static func spawn(
        environment: [String: String],
        data: String,
        output: Int32,
        log: Int32,
    ) throws -> pid_t {
        let path = try binary()
        let arguments = [path, "serve", "--dev", "--listen", "mqtt://127.0.0.1:0", "--data", data]
        // Settings of the surroundings are not those of the script.
        let surroundings = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("APUS_") }
        let small = ["APUS_DATA_SEGMENT_BYTES": "1MiB"]
        let merged = surroundings.merging(small) { _, new in new }.merging(environment) { _, new in new }
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = merged.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, log, 2)
        // The threads that run tests block all signals; the broker shall see its SIGTERM.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var process: pid_t = 0
        let result = posix_spawn(&process, path, &actions, &attributes, &argv, &envp)
        guard result == 0 else { throw ScriptError.system("cannot start \(path): \(result)") }
        return process
    }

    /// Reads `endpoint mqtt://127.0.0.1:PORT`, then `ready`.
    private func readPort() throws -> UInt16 {
        let deadline = Deadline(Patience.process)
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !text.split(separator: "\n").contains("ready") {
            var entry = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, deadline.milliseconds) > 0 else { throw ScriptError.timedOut("no `ready`: \(text)") }
            let count = buffer.withUnsafeMutableBytes { read(output, $0.baseAddress, $0.count) }
            guard count > 0 else { throw ScriptError.unexpected("the broker ended before it was ready: \(text)") }
            text += String(decoding: buffer.prefix(count), as: UTF8.self)
        }
        let prefix = "endpoint mqtt://127.0.0.1:"
        let line = text.split(separator: "\n").first { $0.hasPrefix(prefix) }
        guard let port = line.flatMap({ UInt16($0.dropFirst(prefix.count)) }) else {
            throw ScriptError.unexpected("no endpoint in: \(text)")
        }
        return port
    }

    private func reap(until deadline: Deadline) throws -> Int32? {
        var status: Int32 = 0
        while !deadline.hasPassed {
            let result = waitpid(process, &status, WNOHANG)
            if result == process {
                hasEnded = true
                return status
            }
            if result < 0 && errno != EINTR { throw ScriptError.system("waitpid: \(errno)") }
            usleep(1000)
        }
        return nil
    }
}
