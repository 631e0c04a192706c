internal import ApusMessage

/// What waits for one session, while the log is read: mostly appended at the end and finished near the front.
///
/// An entry with QoS 0 says that the message is finished. As long as entries come in the order of positions they are
/// found by halving and marked; what comes out of order is appended as it is, and sorted out when it has become much: for
/// each position the last word counts.
struct RecoveryQueue {
    private(set) var entries: [QueueEntry] = []
    /// Finished entries before.
    private var head = 0
    /// Entries up to here are in order, each position once.
    private var ordered = 0
    /// When to sort next.
    private var limit = 64

    mutating func add(_ position: StorePosition, _ spec: DeliverySpec, size: UInt32) {
        let entry = QueueEntry(position: position, spec: spec, size: size)
        if ordered == entries.count {
            if let last = entries.last, last.position >= position {
                if last.position == position {
                    entries[entries.count - 1] = entry
                    // It may have been finished and passed over.
                    head = min(head, entries.count - 1)
                    return
                }
            } else {
                entries.append(entry)
                ordered &+= 1
                return
            }
        }
        entries.append(entry)
        sortIfMuch()
    }

    mutating func finish(_ position: StorePosition) {
        guard ordered == entries.count else {
            entries.append(QueueEntry(position: position, spec: DeliverySpec(rawValue: 0), size: 0))
            sortIfMuch()
            return
        }
        guard let index = index(of: position) else { return }
        entries[index].spec = DeliverySpec(rawValue: 0)
        guard index == head else { return }
        while head < entries.count, entries[head].isFinished { head &+= 1 }
        if head == entries.count {
            entries.removeAll(keepingCapacity: head <= 1024)
            (head, ordered) = (0, 0)
        } else if head >= 1024, head > entries.count / 2 {
            entries.removeFirst(head)
            ordered = entries.count
            head = 0
        }
    }

    /// What is left, in the order of positions.
    consuming func finished() -> [QueueEntry] {
        settle()
        return entries
    }

    /// The index of a position among ordered entries; finished messages are mostly the oldest.
    private func index(of position: StorePosition) -> Int? {
        guard head < entries.count else { return nil }
        if entries[head].position == position { return head }
        var low = head
        var width = 1
        while low &+ width < entries.count, entries[low &+ width].position <= position {
            low &+= width
            width &*= 2
        }
        var high = min(low &+ width, entries.count)
        while low &+ 1 < high {
            let middle = (low &+ high) / 2
            if entries[middle].position <= position { low = middle } else { high = middle }
        }
        return entries[low].position == position ? low : nil
    }

    private mutating func sortIfMuch() {
        if entries.count - ordered >= limit { settle() }
    }

    /// Sorts, and drops what is finished.
    private mutating func settle() {
        if ordered < entries.count {
            var late = StableRuns.sorted(entries[ordered...])
            late.keepLastOfEach()
            merge(late)
        } else {
            if head > 0 { entries.removeFirst(head) }
            entries.removeAll { $0.isFinished }
        }
        head = 0
        ordered = entries.count
        limit = max(64, entries.count / 2)
    }

    /// Merges entries that are newer words on their positions than those of `entries[..<ordered]`.
    private mutating func merge(_ late: [QueueEntry]) {
        var result: [QueueEntry] = []
        result.reserveCapacity(ordered - head + late.count)
        var index = head
        for entry in late {
            while index < ordered, entries[index].position < entry.position {
                if !entries[index].isFinished { result.append(entries[index]) }
                index += 1
            }
            if index < ordered, entries[index].position == entry.position { index += 1 }
            if !entry.isFinished { result.append(entry) }
        }
        for entry in entries[index..<ordered] where !entry.isFinished { result.append(entry) }
        entries = result
    }
}

extension QueueEntry {
    /// Only while the log is read.
    var isFinished: Bool { spec.rawValue == 0 }
}

extension [QueueEntry] {
    /// Of neighbours with the same position only the last stays.
    fileprivate mutating func keepLastOfEach() {
        var kept = 0
        for index in indices {
            if index + 1 < count, self[index + 1].position == self[index].position { continue }
            self[kept] = self[index]
            kept += 1
        }
        removeLast(count - kept)
    }
}

/// Sorting by position that leaves entries of one position in their order, in one pass over what is in order already.
enum StableRuns {
    static func sorted(_ entries: ArraySlice<QueueEntry>) -> [QueueEntry] {
        var result = Array(entries)
        var bounds = [0]
        for index in result.indices.dropFirst() where result[index].position < result[index - 1].position {
            bounds.append(index)
        }
        bounds.append(result.count)
        var other = result
        while bounds.count > 2 {
            var merged = [0]
            var run = 0
            while run + 1 < bounds.count {
                let middle = bounds[run + 1]
                let end = run + 2 < bounds.count ? bounds[run + 2] : middle
                merge(result, bounds[run], middle, end, into: &other)
                merged.append(end)
                run += 2
            }
            swap(&result, &other)
            bounds = merged
        }
        return result
    }

    private static func merge(
        _ source: [QueueEntry],
        _ start: Int,
        _ middle: Int,
        _ end: Int,
        into target: inout [QueueEntry],
    ) {
        var left = start
        var right = middle
        for index in start..<end {
            if left < middle, right >= end || source[left].position <= source[right].position {
                target[index] = source[left]
                left += 1
            } else {
                target[index] = source[right]
                right += 1
            }
        }
    }
}
