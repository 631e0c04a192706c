import Testing

@Suite("Simulation")
struct SimulationTests {
    @Test(arguments: 1...300 as ClosedRange<UInt64>)
    func `a broker keeps its promises whatever happens to its clients`(seed: UInt64) {
        let world = World(seed: seed)
        world.run()
        world.checkCounts()
        world.settle()
        world.checkCounts()
        world.checkDeliveries()
        world.checkEmptiness()
        let report = "seed \(seed), \(world.scenario): \(world.failures.prefix(5))"
        #expect(world.failures.isEmpty, Comment(rawValue: report))
    }

    @Test(arguments: 1...400 as ClosedRange<UInt64>)
    func `a broker with a durable store keeps its promises over crashes`(seed: UInt64) {
        let world = World(seed: seed, isDurable: true)
        world.run()
        world.checkCounts()
        world.settle()
        world.crash()
        world.checkCounts()
        world.settle()
        world.checkCounts()
        world.checkDeliveries()
        world.checkEmptiness()
        let report = "seed \(seed), \(world.scenario): \(world.failures.prefix(5))"
        #expect(world.failures.isEmpty, Comment(rawValue: report))
    }
}
