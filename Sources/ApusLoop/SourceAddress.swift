internal import Glibc

extension Socket {
    /// Begins to connect from an address of our own, whose port the system chooses.
    ///
    /// Each address has its own ports, so many of them, as a machine has on loopback, take more connections to one
    /// endpoint than the 28,000 or so that one has.
    ///
    /// - Parameter source: of the same family as `address`; its port is not looked at.
    package static func connect(to address: SocketAddress, from source: SocketAddress) throws(SystemError) -> Descriptor
    {
        let descriptor = try make(family: address.family)
        // The port is then chosen when connecting, by both ends, and not taken for all destinations already by the bind.
        _ = setOption(descriptor.number, Int32(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT, 1)
        let bound = source.withPort(0).withSystemAddress { bind(descriptor.number, $0, $1) }
        guard bound == 0 else { throw .current("bind \(source.host)") }
        let result = address.withSystemAddress { Glibc.connect(descriptor.number, $0, $1) }
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else { throw .current("connect \(address)") }
        setNoDelay(descriptor.number)
        return descriptor
    }
}
