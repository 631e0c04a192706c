import Dispatch

/// Runs tasks one after the other beside the pool, however busy that is.
final class OwnThread: TaskExecutor {
    private let queue = DispatchQueue(label: "tests of the server")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
