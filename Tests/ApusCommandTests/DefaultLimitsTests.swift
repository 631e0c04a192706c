import ApusMessage
import Testing

@testable import ApusConfiguration
@testable import apus

@Suite("Limits have keys")
struct DefaultLimitsTests {
    /// The names of the broker's limits, whatever they are.
    private static let names = Mirror(reflecting: Limits()).children.compactMap(\.label)

    private func fields(_ limits: Limits) -> [String: String] {
        let pairs = Mirror(reflecting: limits).children.map { ($0.label ?? "", "\($0.value)") }
        return Dictionary(uniqueKeysWithValues: pairs)
    }

    @Test func `the configuration's defaults are those of the broker`() {
        #expect(Limits(Configuration().limits) == Limits())
    }

    @Test func `there are as many keys as limits`() {
        let keys = ConfigurationReader.keys.filter { $0.hasPrefix("limits.") }.map { String($0.dropFirst(7)) }
        #expect(keys.sorted() == Self.names.sorted())
    }

    /// A limit that is new in the broker fails here until it has a key.
    @Test(arguments: names)
    func `every limit can be set, under its own name, and changes nothing else`(name: String) throws {
        let setting = try #require(ConfigurationReader.settings["limits.\(name)"], "limits.\(name) is no key")
        var configuration = Configuration()
        // The default of none of them; the first is out of the range of some.
        let number = name == "connectSeconds" ? "521" : name == "shardBacklogBytes" ? "65537" : "65521"
        try setting.read(number, &configuration)
        let (before, after) = (fields(Limits()), fields(Limits(configuration.limits)))
        #expect(after[name] == number)
        #expect(after.filter { before[$0.key] != $0.value }.map(\.key) == [name])
        #expect(Configuration.defaultYAML.contains("    \(name): "))
    }
}
