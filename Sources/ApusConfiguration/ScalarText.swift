/// Decimal digits and nothing else; `nil` beyond `Int`.
func wholeNumber(_ text: some StringProtocol) -> Int? {
    // `_` groups digits, as in YAML 1.1 and in Swift.
    let digits = text.utf8.filter { $0 != UInt8(ascii: "_") }
    guard !digits.isEmpty, text.utf8.first != UInt8(ascii: "_"),
        digits.allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    return Int(String(decoding: digits, as: UTF8.self))
}

private let byteUnits: [(name: String, bytes: Int)] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]

/// A number with or without `KiB`, `MiB`, `GiB`.
func byteCount(_ text: String) -> Int? {
    for unit in byteUnits where text.hasSuffix(unit.name) {
        var number = text.dropLast(unit.name.count)
        while number.last == " " { number = number.dropLast() }
        guard let value = wholeNumber(number) else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : product
    }
    return wholeNumber(text)
}

/// The shortest text that `byteCount` reads back.
func byteText(_ bytes: Int) -> String {
    for unit in byteUnits where bytes >= unit.bytes && bytes % unit.bytes == 0 {
        return "\(bytes / unit.bytes)\(unit.name)"
    }
    return String(bytes)
}

func boolean(_ text: String) throws(InvalidValue) -> Bool {
    switch text {
    case "true": return true
    case "false": return false
    default:
        let isYes = ["yes", "on", "1", "True", "TRUE"].contains(text)
        let isNo = ["no", "off", "0", "False", "FALSE"].contains(text)
        throw InvalidValue(
            "`\(text)` is neither true nor false",
            suggestion: isYes ? "true" : isNo ? "false" : nearestName(to: text, among: ["true", "false"]),
        )
    }
}

func member<Value: RawRepresentable<String> & CaseIterable>(_ text: String) throws(InvalidValue) -> Value {
    if let value = Value(rawValue: text) { return value }
    let names = Value.allCases.map(\.rawValue)
    throw InvalidValue(
        "`\(text)` is not one of \(names.joined(separator: ", "))",
        suggestion: nearestName(to: text, among: names),
    )
}

/// Text of one line, as MQTT can carry it; `nil` for empty text.
func lineText(_ text: String) throws(InvalidValue) -> String? {
    guard text.utf8.count <= 1024 else { throw InvalidValue("more than 1024 bytes") }
    let isControl = { (scalar: Unicode.Scalar) in scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) }
    guard !text.unicodeScalars.contains(where: isControl) else { throw InvalidValue("holds control characters") }
    return text.isEmpty ? nil : text
}

/// The path; `nil` for empty text.
func pathText(_ text: String) throws(InvalidValue) -> String? {
    guard !text.utf8.contains(0) else { throw InvalidValue("a path cannot hold a zero byte") }
    return text.isEmpty ? nil : text
}
