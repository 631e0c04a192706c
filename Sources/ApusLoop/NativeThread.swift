internal import CLinux
internal import Glibc

/// A thread of the system that runs one closure.
///
/// Join it: a thread that is dropped without `join()` goes on by itself (detached).
package struct NativeThread: ~Copyable, Sendable {
    private let thread: pthread_t

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - name: as `top -H` shows it; 15 bytes.
    ///   - body: runs on the new thread and takes with it what it captures.
    package init(name: String, _ body: sending @escaping () -> Void) throws(SystemError) {
        // The start block belongs to the new thread from the moment in which pthread_create says so.
        let start = Unmanaged.passRetained(ThreadStart(name: name, body: body))
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, runThread, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw SystemError(code: code, call: "pthread_create")
        }
        self.thread = thread
    }

    deinit { pthread_detach(thread) }

    /// Waits for the end of the thread.
    package consuming func join() {
        let thread = thread
        discard self
        pthread_join(thread, nil)
    }
}

/// What a new thread needs to begin.
private final class ThreadStart {
    let name: String
    let body: () -> Void

    init(name: String, body: @escaping () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
    apus_name_thread(start.name)
    start.body()
    return nil
}
