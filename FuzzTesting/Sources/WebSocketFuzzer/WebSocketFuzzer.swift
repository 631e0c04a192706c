import FuzzHarness

/// Gives libFuzzer's bytes to the parsers that stand in front of MQTT: upgrade, frames, PROXY protocol.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    do {
        try checkWebSocket(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
        fatalError(error.description)
    }
    return 0
}
