internal import ApusHTTP
internal import ApusLoop
internal import HummingbirdCore
internal import Logging
internal import NIOCore

/// A kind of connection with TLS below it.
struct SecureChannel<Base: ServerChildChannel>: ServerChildChannel {
    let base: Base
    let tls: TLSContextBox

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(TLSHandler(server: tls.current))
        }.flatMap {
            base.setup(channel: channel, logger: logger)
        }
    }

    func handle(value: Base.Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}
