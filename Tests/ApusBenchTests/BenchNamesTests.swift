import Testing

@testable import ApusBench

@Suite("Templates of names")
struct BenchNamesTests {
    @Test
    func `numbers roles and the run are filled in`() throws {
        let names = try BenchNames(
            clientID: "{run}.{role}-{n}.x",
            topic: "p/{run}/{n}/end",
            run: "k3",
            workload: .pairs
        )
        #expect(names.clientID(.publisher, 12) == "k3.p-12.x")
        #expect(names.clientID(.subscriber, 0) == "k3.s-0.x")
        #expect(names.topic("c/7") == "p/k3/c/7/end")
    }

    @Test(arguments: [
        ("id-{role}", "t/{n}", "{n}"),
        ("id-{n}", "t/{n}", "{role}"),
        ("{role}{n}", "t", "{n} once"),
        ("{role}{n}", "t/x{n}", "level of its own"),
        ("{role}{n}", "t/{n}/{n}", "{n} once"),
        ("{role}{n}", "+/{n}", "wildcards"),
        ("{role}{n}{x}", "t/{n}", "but not {x}"),
        ("{role}{n}", "t/{role}/{n}", "but not {role}"),
    ])
    func `a template that would mix clients or topics up is refused`(clientID: String, topic: String, words: String) {
        let complaint = #expect(throws: BenchNames.Complaint.self) {
            try BenchNames(clientID: clientID, topic: topic, run: "r", workload: .pairs)
        }
        #expect(complaint?.description.contains(words) == true)
    }

    @Test(arguments: [
        (Workload.publish, "t", "t"), (.publish, "t/{n}", "t/7"), (.subscribe, "t/+/x", "t/+/x"),
        (.subscribe, "{n}/#", "7/#"),
    ])
    func `where one side is another program a topic may be one for all`(
        workload: Workload,
        template: String,
        topic: String,
    ) throws {
        #expect(try BenchNames(clientID: "id{n}", topic: template, run: "r", workload: workload).topic("7") == topic)
    }

    @Test
    func `user names have the same placeholders`() throws {
        let names = try BenchNames(run: "k3", workload: .pairs)
        #expect(names.userName("{run}/{role}{n}/{other}", .subscriber, 5) == "k3/s5/{other}")
        #expect(names.userName("plain", .publisher, 5) == "plain")
    }

    @Test(arguments: [(Workload.wildcard, "t/{n}/x"), (.retained, "t/{n}/x"), (.p2p, "{n}")])
    func `some workloads want more of the topic`(workload: Workload, topic: String) {
        #expect(throws: BenchNames.Complaint.self) { try BenchNames(topic: topic, run: "r", workload: workload) }
    }
}
