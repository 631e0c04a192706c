import ApusStore

extension StoreUnderTest {
    static let all = [
        StoreUnderTest(name: "MemoryStore", make: { MemoryStore() }, commit: { _ in })
    ]
}
