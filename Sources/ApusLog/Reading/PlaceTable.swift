internal import ApusMessage

/// Where the messages of the log stand: a batch's segment and offset, and the copies of those that were moved.
struct PlaceTable: Sendable {
    /// A place to read a record from.
    struct Place: Sendable {
        let file: any DiskFile
        /// Of the file.
        let segment: UInt32
        /// Of the record.
        let offset: Int
    }

    private(set) var firstNumber: UInt64
    /// `batches[head + n]` is the batch `firstNumber + n`; before `head` stands what was removed.
    private var batches: [BatchPlace]
    private var head = 0
    /// Copies of messages whose own batch is gone.
    private var copies: [StorePosition: StorePosition] = [:]
    /// The origins of the copies in a segment; some may have been moved on.
    private var copyOrigins: [UInt32: [StorePosition]] = [:]
    /// For the estimate of what lives: where the copies of a batch's messages went last.
    private var movedBatches: [UInt64: UInt64] = [:]
    private(set) var files: [UInt32: any DiskFile] = [:]
    private(set) var liveBytes = 0

    init(firstNumber: UInt64 = 1, batches: [BatchPlace] = [], relocations: [Relocation] = []) {
        self.firstNumber = firstNumber
        self.batches = batches
        for batch in batches { liveBytes += batch.liveBytes }
        for relocation in relocations { move(relocation) }
    }

    var batchCount: Int { batches.count - head }

    // MARK: Finding

    func batch(_ number: UInt64) -> BatchPlace? {
        guard let index = index(of: number), batches[index].segment != 0 else { return nil }
        return batches[index]
    }

    /// Where the batch begins.
    func place(ofBatch number: UInt64) -> Place? {
        guard let batch = batch(number), let file = files[batch.segment] else { return nil }
        return Place(file: file, segment: batch.segment, offset: batch.offset)
    }

    /// Where the message stands.
    func place(of position: StorePosition) -> Place? {
        guard let batch = place(ofBatch: position.batchNumber) else { return place(ofCopy: position) }
        return Place(file: batch.file, segment: batch.segment, offset: batch.offset + position.offsetInBatch)
    }

    /// Where the message stands that is no longer in its own batch.
    func place(ofCopy position: StorePosition) -> Place? {
        guard let copy = copies[position], let batch = place(ofBatch: copy.batchNumber) else { return nil }
        return Place(file: batch.file, segment: batch.segment, offset: batch.offset + copy.offsetInBatch)
    }

    /// The segment in which the batch was written; `nil` when that is gone, or not known yet.
    func segment(ofBatch number: UInt64) -> UInt32? { batch(number)?.segment }

    // MARK: Changing

    mutating func add(_ number: UInt64, _ place: BatchPlace) {
        // A batch that was begun early and handed over late, while those after it have gone already.
        while number < firstNumber {
            if head > 0 { head -= 1 } else { batches.insert(.missing, at: 0) }
            firstNumber -= 1
        }
        while UInt64(batches.count - head) <= number - firstNumber { batches.append(.missing) }
        guard let index = index(of: number) else { return }
        liveBytes += place.liveBytes - batches[index].liveBytes
        batches[index] = place
    }

    mutating func open(_ segment: UInt32, _ file: any DiskFile) { files[segment] = file }

    /// Notes that a number of sessions have let go of messages of the batch; fewer than none if more need it.
    ///
    /// - Returns: whether the batch is known.
    @discardableResult
    mutating func release(_ number: UInt64, _ count: Int) -> Bool {
        let number = movedBatches[number] ?? number
        guard let index = index(of: number), batches[index].segment != 0 else { return false }
        let before = batches[index].liveBytes
        let left = Int(batches[index].liveReferences) - count
        batches[index].liveReferences = UInt32(clamping: min(left, Int(batches[index].references)))
        liveBytes += batches[index].liveBytes - before
        return true
    }

    mutating func move(_ relocation: Relocation) {
        copies[relocation.origin] = relocation.copy
        movedBatches[relocation.origin.batchNumber] = relocation.copy.batchNumber
        guard let segment = segment(ofBatch: relocation.copy.batchNumber) else { return }
        copyOrigins[segment, default: []].append(relocation.origin)
    }

    // MARK: Vacating

    /// The numbers of the batches in a segment.
    func batches(in segment: UInt32) -> [UInt64] {
        (head..<batches.count).filter { batches[$0].segment == segment }.map { firstNumber + UInt64($0 - head) }
    }

    /// The messages whose copy was written to a segment; some may have been moved on.
    func copies(writtenTo segment: UInt32) -> [StorePosition] { copyOrigins[segment] ?? [] }

    /// Whether the message's copy stands in the segment.
    func isCopy(_ origin: StorePosition, in segment: UInt32) -> Bool {
        guard let copy = copies[origin] else { return false }
        return self.segment(ofBatch: copy.batchNumber) == segment
    }

    /// Forgets the copies that stand in the segment.
    mutating func removeCopies(_ origins: ArraySlice<StorePosition>, in segment: UInt32) {
        for origin in origins where isCopy(origin, in: segment) { copies[origin] = nil }
    }

    func liveBytes(of segment: UInt32) -> Int {
        batches[head...].reduce(0) { $1.segment == segment ? $0 + $1.liveBytes : $0 }
    }

    /// Forgets a segment and what stands in it; after its copies.
    mutating func remove(segment: UInt32) {
        copyOrigins[segment] = nil
        files[segment] = nil
        for index in head..<batches.count where batches[index].segment == segment {
            liveBytes -= batches[index].liveBytes
            batches[index] = .missing
        }
        while head < batches.count, batches[head].segment == 0 {
            head += 1
            firstNumber += 1
        }
        if head > batches.count / 2 {
            batches.removeFirst(head)
            head = 0
        }
        movedBatches = movedBatches.filter { index(of: $0.value) != nil }
    }

    private func index(of number: UInt64) -> Int? {
        guard number >= firstNumber, number - firstNumber < UInt64(batches.count - head) else { return nil }
        return head + Int(number - firstNumber)
    }
}
