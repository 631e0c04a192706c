/// What a caller has sent, as it may stand in a sentence: short, and without control characters.
func excerpt(_ text: some StringProtocol, _ most: Int = 64) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(most) {
        let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
        scalars.append(isControl ? "\u{FFFD}" : scalar)
    }
    return String(scalars) + (text.unicodeScalars.count > most ? "…" : "")
}
