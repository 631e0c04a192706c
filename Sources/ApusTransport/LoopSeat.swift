internal import ApusBroker
internal import ApusLocks
internal import ApusLoop

/// Where a loop's thread works, and while it sleeps, the threads of other loops for a moment each.
///
/// Whoever holds the seat's lock has the loop to itself. The loop's own thread leaves it for the time of its wait alone.
/// Others take it only when it is free, for a piece of work that costs less than waking the sleeper
/// (`ShardMail.isSmall`), and never a second one besides, so that nobody waits for anybody in a circle
/// (docs/decisions/0012-help-a-sleeping-loop.md).
final class LoopSeat: Sendable {
    private let loop = Guarded<ShardLoop<EpollNetwork>?>(nil)

    /// What the loop's own thread does from first to last: serves until a shutdown is complete.
    func serve(index: Int, _ seed: consuming LoopSeed, _ environment: LoopEnvironment) {
        let events = seed.network.events
        var rest = begin(index: index, seed, environment)
        while case .wait(let timeout) = rest {
            let count = events.wait(timeoutMilliseconds: timeout)
            rest = loop.withLock { $0.tick(count) }
        }
    }

    /// Does this in the loop at once, if its thread sleeps and nothing waits that came before.
    func help(_ mail: ShardMail) -> Bool { loop.withLockIfAvailable { $0?.help(mail) ?? false } ?? false }

    private func begin(index: Int, _ seed: consuming LoopSeed, _ environment: LoopEnvironment) -> LoopRest {
        var seed: LoopSeed? = seed
        return loop.withLock { loop in
            guard let seed = seed.take() else { return .over }
            let gates = seed.gates
            loop = ShardLoop(index: index, server: environment, network: seed.network, gates: gates)
            return .wait(milliseconds: loop?.timeoutUnlessMail())
        }
    }
}

/// What comes after a tick.
private enum LoopRest: Sendable {
    /// nil is for ever.
    case wait(milliseconds: Int64?)
    case over
}

extension ShardLoop<EpollNetwork>? {
    /// One tick; after the last one nothing is left.
    fileprivate mutating func tick(_ count: Int) -> LoopRest {
        self?.work(count)
        guard self?.isFinished == false else {
            self?.cutOff()
            self?.shard.handOverToStore()
            self = nil
            return .over
        }
        return .wait(milliseconds: self?.timeoutUnlessMail())
    }
}
