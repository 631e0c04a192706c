internal import Glibc

extension SignalWaiter {
    /// Lets the signals do what they do by themselves, usually end the process, while the body runs.
    ///
    /// For work that blocks and leaves nothing behind that would have to be put in order. Only for a process in which
    /// this thread takes the signals.
    package borrowing func paused<Value, Failure>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, number) }
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        defer { pthread_sigmask(SIG_BLOCK, &set, nil) }
        return try body()
    }

    /// Whether who started the process wants it to outlive its terminal (`nohup`).
    package static var isHangUpIgnored: Bool {
        var action = sigaction()
        guard sigaction(SIGHUP, nil, &action) == 0, let handler = action.__sigaction_handler.sa_handler else {
            return false
        }
        return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
