package import ApusLoop

/// The folder of a log: what the log needs of a file system, so that tests can take the file system's part.
///
/// Called for each commit, not for each record.
package protocol Disk: AnyObject, Sendable {
    /// For error messages.
    var path: String { get }
    /// The names of all files, in no order.
    func list() throws(SystemError) -> [String]
    func open(_ name: String, _ opening: DataFile.Opening) throws(SystemError) -> any DiskFile
    func delete(_ name: String) throws(SystemError)
    /// Gives a file another name, in place of one that has it.
    func rename(_ name: String, to new: String) throws(SystemError)
    /// Waits until all that was created, renamed and deleted is so on the disk.
    func synchronize() throws(SystemError)
    /// Takes the lock file until the object goes; `EWOULDBLOCK` when another process has it.
    func lock(_ name: String) throws(SystemError) -> any AnyObject & Sendable
    /// The process that has locked the file, if it can be told.
    func holder(of name: String) -> Int?
}

/// A file of the log; any thread may use it.
package protocol DiskFile: AnyObject, Sendable {
    func size() throws(SystemError) -> Int
    /// Reads to `range` of the buffer; fewer bytes than asked for only where the file ends.
    func read(into buffer: inout [UInt8], _ range: Range<Int>, at offset: Int) throws(SystemError) -> Int
    /// Reads what is in memory already.
    func readNow(
        into buffer: inout [UInt8],
        _ range: Range<Int>,
        at offset: Int
    ) throws(SystemError) -> DataFile.ReadNow
    /// Writes once; may write fewer bytes than given.
    func write(_ bytes: Span<UInt8>, at offset: Int) throws(SystemError) -> Int
    /// Waits until all that was written is on the disk; an error is final for all that was not there yet.
    func synchronize() throws(SystemError)
    /// Takes room on the disk up to this size; what was not written is zero.
    func allocate(_ bytes: Int) throws(SystemError)
    func truncate(to bytes: Int) throws(SystemError)
}
