/// One column of a table about things of the management API.
struct Column: Sendable {
    let title: String
    let isRight: Bool
    let text: @Sendable (JSONValue) -> String

    /// - Parameter right: numbers stand at the right end.
    init(_ title: String, right: Bool = false, _ text: @escaping @Sendable (JSONValue) -> String) {
        self.title = title
        isRight = right
        self.text = text
    }

    /// The member as it is.
    init(_ title: String, _ key: String, right: Bool = false) {
        self.init(title, right: right) { Self.plain($0[key]) }
    }

    /// The member is a Unix time in ms.
    static func time(_ title: String, _ key: String) -> Column {
        Column(title) { $0[key]?.integer.map { StorageText.time(milliseconds: $0) } ?? "" }
    }

    static func plain(_ value: JSONValue?) -> String {
        switch value {
        case nil, .null?: ""
        case .string(let text)?: text
        case .bool(let value)?: value ? "yes" : "no"
        case .array(let items)?: items.map { plain($0) }.joined(separator: ", ")
        case .object(let members)?: members.map { "\($0.key)=\(plain($0.value))" }.joined(separator: ", ")
        case .number(let digits)?: digits
        }
    }

    /// A row for each item, under the titles; nothing of it reaches the terminal as a control character.
    static func table(_ items: [JSONValue], _ columns: [Column]) -> String {
        let rows = [columns.map { $0.title.uppercased() }] + items.map { item in columns.map { cell(item, $0) } }
        let widths = columns.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (index, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[index] - cell.count)
                line += columns[index].isRight ? padding + cell : cell + padding
                line += "  "
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }
        .joined()
    }

    /// A line for each column that has a value.
    static func sheet(_ item: JSONValue, _ columns: [Column]) -> String {
        let lines = columns.map { ($0.title, cell(item, $0)) }.filter { !$0.1.isEmpty }
        let width = lines.map(\.0.count).max() ?? 0
        return lines.map { title, text in
            "\(title):\(String(repeating: " ", count: width - title.count + 1))\(text)\n"
        }
        .joined()
    }

    private static func cell(_ item: JSONValue, _ column: Column) -> String {
        StorageText.shown(column.text(item), atMost: 2000)
    }
}
