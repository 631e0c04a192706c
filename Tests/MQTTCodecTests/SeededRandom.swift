/// SplitMix64: the same seed gives the same numbers on every machine, so a printed seed repeats a failure.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }

    mutating func maybe<Value>(_ value: (inout SeededRandom) -> Value) -> Value? { chance(0.4) ? value(&self) : nil }

    mutating func number<Number: FixedWidthInteger>(_ range: ClosedRange<Number>) -> Number {
        // The ends of a range are where mistakes live.
        switch UInt8.random(in: 0..<8, using: &self) {
        case 0: range.lowerBound
        case 1: range.upperBound
        default: Number.random(in: range, using: &self)
        }
    }

    mutating func array<Element>(_ count: ClosedRange<Int>, _ element: (inout SeededRandom) -> Element) -> [Element] {
        (0..<Int.random(in: count, using: &self)).map { _ in element(&self) }
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &self)]
    }
}
