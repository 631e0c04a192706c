/// Why bytes are not a PROXY protocol header; the connection has to be closed without an answer.
public enum ProxyProtocolError: Error, Sendable, Hashable {
    /// The first bytes are those of neither version.
    case noHeader
    /// A line of version 1 without its end within 107 bytes, or a version 2 header of more than 4 KiB.
    case tooLong
    /// A line of version 1 that does not have the form of the specification.
    case malformedLine
    /// A version, command, family or transport that version 2 does not define, or that is no stream.
    case unsupported
    /// An address block shorter than its family needs.
    case addressTooShort
    /// A type-length-value that runs past the end of the header.
    case malformedExtension

    /// One sentence for the log.
    public var words: String {
        switch self {
        case .noHeader: "the connection does not start with a PROXY protocol header"
        case .tooLong: "the PROXY protocol header is too long"
        case .malformedLine: "the PROXY protocol line is malformed"
        case .unsupported: "the PROXY protocol header names an unknown version, command or family"
        case .addressTooShort: "the PROXY protocol header is too short for its address family"
        case .malformedExtension: "an extension of the PROXY protocol header runs past its end"
        }
    }
}
