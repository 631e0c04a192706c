internal import CLinux
internal import Glibc

/// What the machine gives this process.
package enum Machine {
    /// Raises the limit of open files as far as allowed and returns it.
    package static func raiseOpenFileLimit() -> Int {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return 1024 }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(resource, &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// Keeps freed memory of up to 64 MiB in the process instead of returning it to the system each time.
    ///
    /// Batches between shards of a few hundred KiB come and go in every tick; with glibc's defaults each of them would be
    /// mapped, faulted in page by page, and unmapped again.
    package static func keepFreedMemory() {
        apus_keep_freed_memory(32 << 20, 64 << 20)
    }

    /// How many processors this process may use; at least 1.
    package static func processorCount() -> Int {
        let allowed = Int(apus_processor_count())
        return allowed > 0 ? allowed : max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    /// Random bytes from the kernel, fit for secrets.
    package static func randomBytes(_ count: Int) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                getrandom(buffer.baseAddress.map { $0 + filled }, count - filled, 0)
            }
            if got > 0 {
                filled += got
            } else if errno != EINTR {
                throw .current("getrandom")
            }
        }
        return bytes
    }
}
