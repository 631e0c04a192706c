internal import ApusCrypto

/// A page of a list that is sorted by key; the cursor is the last key of the page before, in URL-safe text.
struct Page<Item> {
    var items: [Item]
    /// Empty when nothing follows.
    var next: String

    /// The items whose keys follow that of the cursor, at most `limit` of them.
    ///
    /// One look at each item; of those behind the page only as many are held as a page has.
    init?(of all: some Sequence<Item>, after cursor: String, limit: Int, key: (Item) -> String) {
        guard let after = PageCursor.key(cursor) else { return nil }
        // By bytes: texts that Unicode holds for equal are different keys.
        let bytesAfter = Array(after.utf8)
        var found: [(key: [UInt8], item: Item)] = []
        for item in all {
            let key = Array(key(item).utf8)
            guard bytesAfter.isEmpty || bytesAfter.lexicographicallyPrecedes(key) else { continue }
            found.append((key, item))
            if found.count > 4 * (limit + 1) + 1_024 { found = Self.first(found, limit + 1) }
        }
        found = Self.first(found, limit + 1)
        items = found.prefix(limit).map(\.item)
        next = found.count > limit ? PageCursor.text(String(decoding: found[limit - 1].key, as: UTF8.self)) : ""
    }

    private static func first(_ found: [(key: [UInt8], item: Item)], _ count: Int) -> [(key: [UInt8], item: Item)] {
        Array(found.sorted { $0.key.lexicographicallyPrecedes($1.key) }.prefix(count))
    }
}

/// Where a page begins, as callers carry it: nothing that they should read or make.
enum PageCursor {
    static func text(_ key: String) -> String { Hex.encode(Array(key.utf8)) }

    /// `nil` for a text that is no cursor of ours.
    static func key(_ text: String) -> String? {
        // Of bytes that are no text something near them, which is a place as good as any.
        Hex.decode(text).map { String(decoding: $0, as: UTF8.self) }
    }
}
