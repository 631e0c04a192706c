/// The name that was probably meant: the nearest by edit distance, when it is near at all.
package func nearestName(to text: String, among names: [String]) -> String? {
    let wanted = Array(text.lowercased().utf8)
    // Longer than any key, and not worth the square of its length.
    guard !wanted.isEmpty, wanted.count <= 100 else { return nil }
    let candidates = names.map { ($0, distance: editDistance(wanted, Array($0.lowercased().utf8))) }
    guard let best = candidates.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(1, wanted.count / 3) ? best.0 : nil
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour.
func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for i in left.indices {
        var row = [i + 1]
        for j in right.indices {
            var cost = min(last[j] + (left[i] == right[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                cost = min(cost, beforeLast[j - 1] + 1)
            }
            row.append(cost)
        }
        beforeLast = last
        last = row
    }
    return last[right.count]
}
