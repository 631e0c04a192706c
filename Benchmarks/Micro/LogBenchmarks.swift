internal import ApusLog
internal import ApusLoop
internal import ApusMessage
internal import ApusStore
internal import CMeasure
internal import Glibc
internal import MQTTCodec

/// The message log: messages for one session each are appended, in batches of 64 as a tick of a busy shard makes them,
/// committed, and found again.
func benchmarkLog(_ meter: Meter) throws {
    for (durability, name) in [(LogOptions.Durability.process, "process"), (.power, "power")] {
        // By the process's number, so that two runs do not meet; removed at the end.
        let path = "\(meter.options.folder)/microbench-log-\(getpid())-\(name)"
        let folder = try FolderDisk(creating: path)
        defer { remove(folder, path) }
        let messages = meter.options.logMessages
        try write(
            meter,
            folder,
            durability,
            "append and commit, 256 bytes, batches of 64, durability \(name)",
            messages
        )
        // Reading is the same for both.
        guard durability == .process else { continue }
        var log: MessageLog?
        try meter.measureOnce("log", "recovery at start, per message", operations: messages + messages / 10) {
            log = try open(folder, durability)
        }
        guard let found = log else { continue }
        measure_keep(UInt64(found.sessions.count))
        found.close()
    }
}

private func open(_ disk: FolderDisk, _ durability: LogOptions.Durability) throws -> MessageLog {
    var options = LogOptions()
    options.durability = durability
    let clock = Clock()
    return try MessageLog.open(
        options,
        disk: disk,
        clock: { Timestamp(milliseconds: clock.now()) },
        events: { _ in }
    )
}

/// The log refused what it must take here.
private struct LogRefusal: Error {}

private func write(
    _ meter: Meter,
    _ disk: FolderDisk,
    _ durability: LogOptions.Durability,
    _ name: String,
    _ messages: Int,
) throws {
    let log = try open(disk, durability)
    let wakeUp = try WakeUp()
    let store = log.makeStore(shard: 0) { _ in wakeUp.signal() }
    try log.start()
    defer { log.close() }
    let sessions = (0..<100).map { _ in store.newSessionNumber() }
    for (place, session) in sessions.enumerated() {
        _ = store.record(.state(SessionRecord(clientID: "device-\(place)", expirySeconds: 3600)), of: session)
    }
    let topic = Array("fleet/7/device/1234/state".utf8)
    let payload = [UInt8](repeating: 7, count: 256)
    let header = MessageHeader(qos: .atLeastOnce, retain: false)
    func append(_ count: Int) throws {
        var last = StorePosition.none
        for number in 0..<count {
            guard store.beginMessage(header, topic: topic.span, properties: Span(), payload: payload.span) else {
                throw LogRefusal()
            }
            store.addRecipient(Recipient(session: sessions[number % sessions.count], qos: .atLeastOnce))
            last = store.endMessage()
            if number % 64 == 63 {
                store.handOver()
                while store.isBehind { _ = wakeUp.wait(milliseconds: 100) }
            }
        }
        store.handOver()
        while store.committed < last { _ = wakeUp.wait(milliseconds: 100) }
    }
    // So that buffers have grown and files are there.
    try append(messages / 10)
    try meter.measureOnce("log", name, operations: messages) { try append(messages) }
}

private func remove(_ disk: FolderDisk, _ path: String) {
    do {
        for name in try disk.list() { try disk.delete(name) }
        _ = rmdir(path)
    } catch {
        // What is left lies in the folder that the caller named.
        return
    }
}
