/// How much of its diagnostics a packet keeps, when the receiver accepts only small ones [MQTT-3.2.2-19],
/// [MQTT-3.2.2-20].
enum DiagnosticDetail: CaseIterable {
    case full
    case withoutUserProperties
    case bare
}

/// Collects the fields of one packet that is not on the hot path.
///
/// A string or a byte array longer than 65,535 bytes cannot be written; that is remembered, so that no half-true packet
/// ever leaves.
struct FieldWriter {
    private(set) var bytes: [UInt8] = []
    private(set) var isRepresentable = true
    let detail: DiagnosticDetail

    init(detail: DiagnosticDetail = .full) { self.detail = detail }

    mutating func append(_ value: UInt8) { bytes.append(value) }

    mutating func append(_ value: UInt16) { bytes.append(bigEndian: value) }

    mutating func append(_ value: UInt32) { bytes.append(bigEndian: value) }

    mutating func append(_ value: String) {
        appendLength(value.utf8.count)
        bytes.append(contentsOf: value.utf8)
    }

    mutating func append(_ value: [UInt8]) {
        appendLength(value.count)
        bytes.append(contentsOf: value)
    }

    /// Appends the properties that `fill` adds, with their length in front.
    mutating func appendProperties(_ fill: (inout FieldWriter) -> Void) {
        var properties = FieldWriter(detail: detail)
        fill(&properties)
        appendSection(properties.bytes)
        if !properties.isRepresentable { isRepresentable = false }
    }

    /// Appends properties that are encoded already, with their length in front.
    mutating func appendSection(_ properties: [UInt8]) {
        if properties.count > VariableByteInteger.maximum { isRepresentable = false }
        VariableByteInteger.append(properties.count, to: &bytes)
        bytes.append(contentsOf: properties)
    }

    private mutating func appendLength(_ count: Int) {
        if count > Int(UInt16.max) { isRepresentable = false }
        append(UInt16(truncatingIfNeeded: count))
    }

    // MARK: - Properties

    mutating func add(_ identifier: PropertyIdentifier, _ value: Bool?) {
        guard let value else { return }
        append(identifier.rawValue)
        append(value ? 1 : 0 as UInt8)
    }

    mutating func add(_ identifier: PropertyIdentifier, _ value: UInt8?) {
        guard let value else { return }
        append(identifier.rawValue)
        append(value)
    }

    mutating func add(_ identifier: PropertyIdentifier, _ value: UInt16?) {
        guard let value else { return }
        append(identifier.rawValue)
        append(value)
    }

    mutating func add(_ identifier: PropertyIdentifier, _ value: UInt32?) {
        guard let value else { return }
        append(identifier.rawValue)
        append(value)
    }

    mutating func add(_ identifier: PropertyIdentifier, _ value: String?) {
        guard let value else { return }
        append(identifier.rawValue)
        append(value)
    }

    mutating func add(_ identifier: PropertyIdentifier, _ value: [UInt8]?) {
        guard let value else { return }
        append(identifier.rawValue)
        append(value)
    }

    mutating func add(encoded properties: [UInt8]) { bytes.append(contentsOf: properties) }

    /// Adds a subscription identifier, 1 to 268,435,455; 0 means that there is none.
    mutating func add(subscriptionIdentifier value: UInt32) {
        if value == 0 { return }
        if value > UInt32(VariableByteInteger.maximum) { isRepresentable = false }
        append(PropertyIdentifier.subscriptionIdentifier.rawValue)
        VariableByteInteger.append(Int(value), to: &bytes)
    }

    mutating func add(_ userProperties: [UserProperty]) {
        for property in userProperties {
            append(PropertyIdentifier.userProperty.rawValue)
            append(property.name)
            append(property.value)
        }
    }

    /// Adds what a packet may leave out to stay within the receiver's maximum packet size, as far as `detail` allows.
    mutating func addDiagnostics(_ reasonString: String?, _ userProperties: [UserProperty]) {
        if detail != .bare { add(.reasonString, reasonString) }
        if detail == .full { add(userProperties) }
    }
}

extension Equatable {
    /// The value, or `nil` when it equals the default that an absent property stands for.
    func unless(_ standard: Self) -> Self? { self == standard ? nil : self }
}
