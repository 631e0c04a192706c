internal import ApusLocks
internal import Synchronization

/// Letters from any thread to the owner of a loop.
///
/// Several mailboxes may share one `WakeUp`. Unbounded: senders bound what they have under way.
package final class Mailbox<Letter: Sendable>: Sendable {
    private let letters = Guarded<[Letter]>([])
    private let isFilled = Atomic<Bool>(false)
    private let wakeUp: WakeUp

    package init(wakeUp: WakeUp) {
        self.wakeUp = wakeUp
    }

    /// Whether a letter waits; costs no lock.
    package var isEmpty: Bool { !isFilled.load(ordering: .acquiring) }

    package func post(_ letter: Letter) {
        letters.withLock {
            $0.append(letter)
            isFilled.store(true, ordering: .releasing)
        }
        wakeUp.signal()
    }

    /// Posts many letters under one lock, in order.
    package func post(contentsOf batch: [Letter]) {
        guard !batch.isEmpty else { return }
        letters.withLock {
            $0.append(contentsOf: batch)
            isFilled.store(true, ordering: .releasing)
        }
        wakeUp.signal()
    }

    /// Takes all letters; the owner calls it after `WakeUp.acknowledge`.
    package func drain() -> [Letter] {
        guard !isEmpty else { return [] }
        var drained: [Letter] = []
        drain(into: &drained)
        return drained
    }

    /// Swaps the letters against an emptied array, so that two arrays serve for ever without allocation.
    package func drain(into drained: inout [Letter]) {
        drained.removeAll(keepingCapacity: true)
        guard !isEmpty else { return }
        letters.withLock {
            swap(&$0, &drained)
            isFilled.store(false, ordering: .releasing)
        }
    }
}
