/// Text from outside between backticks, for a sentence: at most 100 bytes, control characters as `.`.
func quoted(_ text: String) -> String {
    let limit = 100
    var excerpt = ""
    var count = 0
    for scalar in text.unicodeScalars {
        count += UTF8.width(scalar)
        guard count <= limit else { return "`\(excerpt)…`" }
        excerpt.unicodeScalars.append(isPrintable(scalar) ? scalar : ".")
    }
    return "`\(excerpt)`"
}

/// Whether a character may stand in a client id: no control character, no separator of lines, nothing unassigned.
func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return (0x20...0x7E).contains(scalar.value) }
    return switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .unassigned, .lineSeparator, .paragraphSeparator, .privateUse: false
    default: true
    }
}
