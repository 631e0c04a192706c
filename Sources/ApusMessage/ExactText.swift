/// Text that is equal only to the same bytes.
///
/// `String` compares by Unicode's canonical equivalence, so that é and e followed by a combining accent are equal; MQTT
/// does not: different bytes are different clients, users and share names (MQTT 5.0, section 1.5.4).
package struct ExactText: Sendable, Hashable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package static func == (left: ExactText, right: ExactText) -> Bool {
        left.text.utf8.count == right.text.utf8.count && left.text.utf8.elementsEqual(right.text.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(text.utf8.count)
    }
}
