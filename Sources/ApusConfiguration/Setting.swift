/// One scalar key: its name, its documentation, and how text becomes its value and back.
///
/// The table of all settings is what file, environment, command line, default file and reload report are made from.
struct Setting: Sendable {
    /// When a changed value counts after SIGHUP.
    enum Effect: Sendable { case live, restart }

    /// Dotted, as in `limits.packetBytes`.
    let key: String
    /// Sentences for the default file; the first says what it is.
    let documentation: String
    /// What can be written there, for the default file and for errors.
    let values: String
    let effect: Effect
    /// Written into the default file, as a comment, when there is no default.
    let example: String?
    let read: @Sendable (String, inout Configuration) throws(InvalidValue) -> Void
    /// The value as text; `nil` when it is unset.
    let text: @Sendable (Configuration) -> String?

    /// `APUS_LIMITS_PACKET_BYTES` for `limits.packetBytes`.
    var environmentVariable: String { Self.environmentVariable(of: key) }

    static func environmentVariable(of key: String) -> String {
        var name = "APUS_"
        var afterCapital = true
        for character in key {
            if character == "." {
                name += "_"
                afterCapital = true
                continue
            }
            if character.isUppercase, !afterCapital { name += "_" }
            name += character.uppercased()
            afterCapital = character.isUppercase
        }
        return name
    }
}

// MARK: - Kinds of settings

extension Setting {
    typealias Path<Value> = WritableKeyPath<Configuration, Value> & Sendable

    /// A whole number.
    static func count(
        _ key: String,
        _ path: any Path<Int>,
        _ range: ClosedRange<Int>,
        _ documentation: String,
        _ effect: Effect = .restart,
    ) -> Setting {
        let values = "a number from \(range.lowerBound) to \(range.upperBound)"
        return Setting(
            key: key,
            documentation: documentation,
            values: values,
            effect: effect,
            example: nil,
        ) { (text, configuration) throws(InvalidValue) in
            guard let value = wholeNumber(text), range.contains(value) else {
                throw InvalidValue("`\(text)` is not \(values)")
            }
            configuration[keyPath: path] = value
        } text: {
            String($0[keyPath: path])
        }
    }

    /// A number of bytes, also written with `KiB`, `MiB` or `GiB`.
    static func bytes(
        _ key: String,
        _ path: any Path<Int>,
        _ range: ClosedRange<Int>,
        _ documentation: String,
        _ effect: Effect = .restart,
    ) -> Setting {
        let values = "bytes from \(byteText(range.lowerBound)) to \(byteText(range.upperBound))"
        return Setting(
            key: key,
            documentation: documentation,
            values: values,
            effect: effect,
            example: nil,
        ) { (text, configuration) throws(InvalidValue) in
            guard let value = byteCount(text), range.contains(value) else {
                throw InvalidValue("`\(text)` is not a number of \(values)")
            }
            configuration[keyPath: path] = value
        } text: {
            byteText($0[keyPath: path])
        }
    }

    static func flag(
        _ key: String,
        _ path: any Path<Bool>,
        _ documentation: String,
        _ effect: Effect = .restart
    ) -> Setting {
        Setting(
            key: key,
            documentation: documentation,
            values: "true or false",
            effect: effect,
            example: nil,
        ) { (text, configuration) throws(InvalidValue) in
            configuration[keyPath: path] = try boolean(text)
        } text: {
            String($0[keyPath: path])
        }
    }

    static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
        _ key: String,
        _ path: any Path<Value>,
        _ documentation: String,
        _ effect: Effect = .restart,
    ) -> Setting {
        let names = Value.allCases.map(\.rawValue)
        return Setting(
            key: key,
            documentation: documentation,
            values: names.joined(separator: names.count == 2 ? " or " : ", "),
            effect: effect,
            example: nil,
        ) { (text, configuration) throws(InvalidValue) in
            configuration[keyPath: path] = try member(text)
        } text: {
            $0[keyPath: path].rawValue
        }
    }

    /// A path that must be there.
    static func path(
        _ key: String,
        _ path: any Path<String>,
        _ documentation: String,
        _ effect: Effect = .restart
    ) -> Setting {
        Setting(
            key: key,
            documentation: documentation,
            values: "a path",
            effect: effect,
            example: nil,
        ) { (text, configuration) throws(InvalidValue) in
            guard let value = try pathText(text) else { throw InvalidValue("the path is empty") }
            configuration[keyPath: path] = value
        } text: {
            $0[keyPath: path]
        }
    }

    /// Text that need not be there; empty text unsets it.
    static func optionalText(
        _ key: String,
        _ path: any Path<String?>,
        values: String,
        example: String,
        _ documentation: String,
        _ effect: Effect = .restart,
    ) -> Setting {
        Setting(
            key: key,
            documentation: documentation,
            values: values,
            effect: effect,
            example: example,
        ) { (text, configuration) throws(InvalidValue) in
            configuration[keyPath: path] = try lineText(text)
        } text: {
            $0[keyPath: path]
        }
    }

    /// Text of one line that must be there.
    static func text(
        _ key: String,
        _ path: any Path<String>,
        values: String,
        _ documentation: String,
        _ effect: Effect = .restart,
    ) -> Setting {
        Setting(
            key: key,
            documentation: documentation,
            values: values,
            effect: effect,
            example: nil,
        ) { (text, configuration) throws(InvalidValue) in
            configuration[keyPath: path] = try lineText(text) ?? ""
        } text: {
            $0[keyPath: path]
        }
    }

    /// `http://HOST:PORT` or `https://HOST:PORT`; empty text unsets it.
    static func endpoint(
        _ key: String,
        _ path: any Path<String?>,
        example: String,
        _ documentation: String,
        _ effect: Effect = .restart,
    ) -> Setting {
        Setting(
            key: key,
            documentation: documentation,
            values: "http://HOST:PORT or https://HOST:PORT; port 0 lets the system choose",
            effect: effect,
            example: example,
        ) { (text, configuration) throws(InvalidValue) in
            let line = try lineText(text)
            if let line { _ = try HTTPEndpoint(line) }
            configuration[keyPath: path] = line
        } text: {
            $0[keyPath: path]
        }
    }

    /// A path that need not be there; empty text unsets it.
    static func optionalPath(
        _ key: String,
        _ path: any Path<String?>,
        example: String,
        _ documentation: String,
        _ effect: Effect = .restart,
    ) -> Setting {
        Setting(
            key: key,
            documentation: documentation,
            values: "a path",
            effect: effect,
            example: example,
        ) { (text, configuration) throws(InvalidValue) in
            configuration[keyPath: path] = try pathText(text)
        } text: {
            $0[keyPath: path]
        }
    }
}
