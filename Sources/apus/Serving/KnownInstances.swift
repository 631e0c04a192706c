internal import ApusMessage

/// Which instances a catalog knew at the start, to tell what in the message log belongs to nobody any more.
struct KnownInstances: Sendable {
    let numbers: Set<InstanceNumber>
    /// The highest number that the catalog ever gave.
    let last: InstanceNumber

    /// Whether what the log has of this instance is still somebody's.
    ///
    /// What a plain broker left in the directory, number 0, is nobody's concern here and waits for one.
    func keeps(_ instance: InstanceNumber) -> Bool { instance == .none || numbers.contains(instance) }

    /// Makes sure that the log may be this catalog's.
    ///
    /// A number that the catalog never gave is no deleted instance: the catalog is another one, or an older one, and would
    /// give the number to somebody else.
    func check(_ instances: some Sequence<InstanceNumber>) throws {
        guard let alien = instances.max(), alien > last else { return }
        throw CommandFailure(
            "the message log has sessions or messages of instance number \(alien.rawValue), and the catalog never had one: "
                + "it is not the catalog of this log; restore both from one backup, or move \(Tenancy.fileName) or the log away"
        )
    }
}
