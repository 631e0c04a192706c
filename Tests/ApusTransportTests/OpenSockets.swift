import Glibc

/// The sockets that this process's kernel knows, from `/proc/self/net/tcp`.
enum OpenSockets {
    /// Waits until no connection has its server's end on the port; listening sockets do not count, nor do those that
    /// only wait for the last packets of their peer, which belong to no process.
    static func waitForNone(onPort port: UInt16) throws {
        let deadline = Deadline()
        while try count(onPort: port) > 0 {
            if deadline.isOver { throw RawClient.TimedOut() }
            sched_yield()
        }
    }

    static func count(onPort port: UInt16) throws -> Int {
        let hexadecimal = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
        // 01 ESTABLISHED, 08 CLOSE_WAIT, 09 LAST_ACK: with a descriptor or on the way to lose it.
        return try read("/proc/self/net/tcp").split(separator: "\n").dropFirst().count { line in
            let fields = line.split(separator: " ")
            return fields.count > 3 && fields[1].hasSuffix(suffix) && ["01", "08"].contains(fields[3])
        }
    }

    private static func read(_ path: String) throws -> String {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { throw RawClient.TimedOut() }
        defer { close(file) }
        var text: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(file, &part, part.count)
            guard count > 0 else { break }
            text += part[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }
}
