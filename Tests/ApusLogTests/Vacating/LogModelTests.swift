import ApusMessage
import ApusStore
import Glibc
import Testing

@testable import ApusLog

@Suite("Log model")
struct LogModelTests {
    private func use(_ model: LogModel, steps: Int, faults: Bool = false) throws {
        for _ in 0..<steps {
            switch Int.random(in: 0..<100, using: &model.random) {
            case 0..<15: model.publish()
            case 15..<36: model.take()
            case 36..<56: model.finish()
            case 56..<58: model.giveAway()
            case 58: if model.living.count < 6 { model.begin() }
            case 59: if model.chance(30) { model.endSession() }
            case 60: try model.changeFilters()
            case 61..<83: try model.tick(Int.random(in: 0...1, using: &model.random))
            case 83..<98:
                _ = model.log.log.writer.step()
                if model.log.log.writer.isHolding { model.held += 1 }
            case 98:
                model.log.pass(milliseconds: 400)
                if model.chance(50) { try model.settle(turns: Int.random(in: 1...40, using: &model.random)) }
            default: if faults { fault(model) }
            }
        }
    }

    private var options: LogOptions {
        var options = LogOptions()
        options.segmentBytes = 1024
        return options
    }

    private func fault(_ model: LogModel) {
        let disk = model.disk
        let call =
            [SimulatedDisk.Call.write, .synchronize, .allocate, .create, .synchronizeFolder, .delete, .rename]
            .randomElement(using: &model.random) ?? .write
        switch Int.random(in: 0..<6, using: &model.random) {
        case 0...2:
            let number = (disk.calls[call] ?? 0) + Int.random(in: 1...3, using: &model.random)
            disk.failures[call] = [number: EIO, number + 1: model.chance(30) ? EIO : 0].filter { $0.value != 0 }
        case 3: disk.broken = model.chance(50) ? [call: EIO] : [:]
        case 4: disk.shortWrites = model.chance(50) ? Int.random(in: 1...50, using: &model.random) : .max
        default: disk.budget = model.chance(50) ? disk.usedBytes + Int.random(in: 0...3000, using: &model.random) : .max
        }
    }

    private func crashKind(_ model: LogModel) -> SimulatedDisk.Crash {
        switch Int.random(in: 0..<5, using: &model.random) {
        case 0: .losesAll
        case 1: .keepsAll
        case 2: .keepsSome(blockBytes: [1, 8, 64, 512].randomElement(using: &model.random) ?? 8)
        default: .keepsBytes(Int.random(in: 0...max(1, model.disk.unsyncedBytes), using: &model.random))
        }
    }

    @Test(arguments: 1...15 as ClosedRange<UInt64>)
    func `random use, vacating and crashes leave what was promised and nothing else`(seed: UInt64) throws {
        let model = try LogModel(seed: seed, options: options)
        for _ in 0..<5 {
            try use(model, steps: 2000)
            try model.crash(crashKind(model))
        }
        #expect(model.vacated > 10)
        #expect(model.copied > 50)
        #expect(model.delivered > 0)
    }

    @Test(arguments: 1...15 as ClosedRange<UInt64>)
    func `so do disks that fail`(seed: UInt64) throws {
        let model = try LogModel(seed: seed &+ 1000, options: options)
        for _ in 0..<5 {
            try use(model, steps: 2000, faults: true)
            let kind = crashKind(model)
            model.disk.budget = .max
            try model.crash(kind)
        }
    }

    /// Little more room than the reserve: what shards hand over is held back again and again.
    @Test(arguments: 1...15 as ClosedRange<UInt64>)
    func `so do disks that are full`(seed: UInt64) throws {
        var options = options
        options.segmentBytes = 2048
        options.maximumBytes = 7 * 2048
        let model = try LogModel(seed: seed &+ 2000, options: options)
        for _ in 0..<5 {
            try use(model, steps: 2000)
            try model.crash(crashKind(model))
        }
        #expect(model.held > 0)
        #expect(model.vacated > 10)
        #expect(model.delivered > 0)
    }
}
