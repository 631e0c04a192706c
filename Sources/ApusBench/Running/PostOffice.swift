internal import ApusLoop

/// The ways between the crew and its workers.
struct PostOffice: Sendable {
    let wakeUps: [WakeUp]
    let workers: [Mailbox<WorkerLetter>]
    /// Ends a wait of the crew.
    let crewWakeUp: WakeUp
    let crew: Mailbox<Report>

    init(workers count: Int) throws(SystemError) {
        var wakeUps: [WakeUp] = []
        for _ in 0..<count { wakeUps.append(try WakeUp()) }
        self.wakeUps = wakeUps
        workers = wakeUps.map { Mailbox(wakeUp: $0) }
        crewWakeUp = try WakeUp()
        crew = Mailbox(wakeUp: crewWakeUp)
    }
}

/// What all workers of a run have to know.
struct BenchJob: Sendable {
    let plan: BenchPlan
    let names: BenchNames
    let target: BenchTarget
}
