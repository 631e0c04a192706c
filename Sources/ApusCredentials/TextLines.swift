extension String {
    /// The lines with their numbers, counted from 1, without line ends and without surrounding blanks.
    ///
    /// Cut by bytes, because for Swift `\r\n` is one character.
    var numberedLines: [(number: Int, text: Substring)] {
        let newline = UInt8(ascii: "\n")
        return self[...].utf8.split(separator: newline, omittingEmptySubsequences: false)
            .enumerated().map { (number: $0.offset + 1, text: Substring($0.element).trimmed) }
    }
}

extension Substring {
    /// The text without blanks, tabs and carriage returns at either end.
    var trimmed: Substring {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0D }
        guard let first = utf8.firstIndex(where: { !isBlank($0) }), let last = utf8.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return self[first..<utf8.index(after: last)]
    }

    /// The text before the first blank, and what follows it, trimmed.
    var firstWord: (word: Substring, rest: Substring) {
        let blank = utf8.firstIndex { $0 == 0x20 || $0 == 0x09 } ?? endIndex
        return (self[..<blank], self[blank...].trimmed)
    }
}
