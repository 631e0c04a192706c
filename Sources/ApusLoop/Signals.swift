internal import CLinux
internal import Glibc

/// Makes writing to a closed connection an error instead of the end of the process.
///
/// Our own sends say MSG_NOSIGNAL; this is for everything else that writes, such as a log to a closed pipe.
package func ignoreBrokenPipe() {
    _ = signal(SIGPIPE, SIG_IGN)
}

/// A wish of the operator.
package enum OperatorSignal: Sendable {
    /// SIGTERM.
    case terminate
    /// SIGINT.
    case interrupt
    /// SIGHUP.
    case reload
}

/// Takes SIGTERM, SIGINT and SIGHUP as events.
///
/// Make it on the main thread before any other thread starts: the signals are blocked there, and new threads inherit
/// that. One thread waits; the descriptor may go into a poller (level-triggered).
package struct SignalWaiter: ~Copyable {
    private let descriptor: Descriptor

    package init() throws(SystemError) {
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, number) }
        let code = pthread_sigmask(SIG_BLOCK, &set, nil)
        guard code == 0 else { throw SystemError(code: code, call: "pthread_sigmask") }
        let number = signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
        guard number >= 0 else { throw .current("signalfd") }
        descriptor = Descriptor(owning: number)
    }

    /// For `Poller.addLevelTriggered`.
    package var fileDescriptor: Int32 { descriptor.number }

    /// The next signal; blocks until one comes.
    package func wait() -> OperatorSignal {
        while true {
            if let signal = next() { return signal }
            var request = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
            _ = poll(&request, 1, -1)
        }
    }

    /// The next signal, or nil if none waits.
    package func next() -> OperatorSignal? {
        var information = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        guard read(descriptor.number, &information, size) == size else { return nil }
        switch Int32(bitPattern: information.ssi_signo) {
        case SIGTERM: return .terminate
        case SIGINT: return .interrupt
        case SIGHUP: return .reload
        default: return nil
        }
    }
}
