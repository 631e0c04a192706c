internal import ApusCrypto

/// One JSON object on one line, its fields in the order in which they are added.
struct JSONLine {
    private var fields = ""

    mutating func add(_ name: String, _ value: String) { add(name, raw: JSONText.quoted(value)) }
    mutating func add(_ name: String, _ value: some BinaryInteger) { add(name, raw: "\(value)") }
    mutating func add(_ name: String, _ value: Bool) { add(name, raw: value ? "true" : "false") }
    mutating func add(_ name: String, _ value: JSONLine) { add(name, raw: value.text) }
    mutating func add(_ name: String, _ values: [JSONLine]) {
        add(name, raw: "[" + values.map(\.text).joined(separator: ",") + "]")
    }
    mutating func add(_ name: String, _ values: [UInt32]) {
        add(name, raw: "[" + values.map { "\($0)" }.joined(separator: ",") + "]")
    }

    /// Text as it is; bytes that are no UTF-8 in base 64, under a name that says so.
    mutating func add(_ name: String, bytes: [UInt8]) {
        if let text = String(validating: bytes, as: UTF8.self) {
            add(name, text)
        } else {
            add("\(name)_base64", Base64.encode(bytes))
        }
    }

    /// A time in milliseconds, to the microsecond.
    mutating func add(_ name: String, milliseconds duration: Duration) {
        let microseconds = duration / .microseconds(1)
        add(name, raw: "\((microseconds).rounded() / 1000)")
    }

    /// A number with one digit behind the point.
    mutating func add(_ name: String, rate: Double) { add(name, raw: "\((rate * 10).rounded() / 10)") }

    var isEmpty: Bool { fields.isEmpty }
    var text: String { "{\(fields)}" }

    private mutating func add(_ name: String, raw: String) {
        if !fields.isEmpty { fields += "," }
        fields += "\(JSONText.quoted(name)):\(raw)"
    }
}
