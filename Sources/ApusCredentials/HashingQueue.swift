internal import ApusLocks
internal import Dispatch

/// Threads for slow hashes, with a bounded queue before them.
///
/// A thread exists only while there is work. The bound keeps a storm of logins from becoming a queue of minutes.
final class HashingQueue: Sendable {
    private struct State {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private let workers: Int
    private let maximumWaiting: Int
    private let state = Guarded(State())
    private let threads = DispatchQueue(label: "apus.passwords", qos: .utility, attributes: .concurrent)

    init(workers: Int, maximumWaiting: Int) {
        precondition(workers > 0 && maximumWaiting >= 0)
        self.workers = workers
        self.maximumWaiting = maximumWaiting
    }

    /// Runs the work on a thread of the queue, in the order of calls.
    ///
    /// - Returns: `false` when the queue is full; then the work never runs.
    func submit(_ work: @escaping @Sendable () -> Void) -> Bool {
        enum Decision { case start, wait, refuse }
        let decision = state.withLock { state -> Decision in
            if state.running < workers {
                state.running += 1
                return .start
            }
            guard state.waiting.count < maximumWaiting else { return .refuse }
            state.waiting.append(work)
            return .wait
        }
        if decision == .start { threads.async { self.run(work) } }
        return decision != .refuse
    }

    private func run(_ first: @escaping @Sendable () -> Void) {
        var next: (@Sendable () -> Void)? = first
        while let work = next {
            work()
            next = state.withLock { state in
                guard !state.waiting.isEmpty else {
                    state.running -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
        }
    }
}
