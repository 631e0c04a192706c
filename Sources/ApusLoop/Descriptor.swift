internal import Glibc

/// The owner of a file descriptor, which closes it at its end.
///
/// May move between threads; there is one owner at any time.
package struct Descriptor: ~Copyable, Sendable {
    /// The number, for calls; never close it.
    package let number: Int32

    /// Takes a number that nobody else closes.
    package init(owning number: Int32) {
        self.number = number
    }

    deinit {
        // An error of close cannot be answered: on Linux the number is free in any case.
        _ = Glibc.close(number)
    }

    /// Gives the number away; the caller closes it.
    package consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// A second descriptor of the same open file.
    package func duplicate() throws(SystemError) -> Descriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw .current("fcntl") }
        return Descriptor(owning: copy)
    }
}
