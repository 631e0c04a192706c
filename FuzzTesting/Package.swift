// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

/// The harness looks at the broker's insides by `@testable`, in release builds too.
let testable = settings + [.unsafeFlags(["-enable-testing"])]

/// A target of the broker, built with instrumentation from a link to the real one.
func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: testable)
}

/// A target whose `LLVMFuzzerTestOneInput` gives inputs to a function of the harness.
func fuzzer(_ name: String) -> Target {
    .executableTarget(
        name: "\(name)Fuzzer",
        dependencies: ["FuzzHarness"],
        swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])],
    )
}

/// Fuzz targets stand apart, because libFuzzer brings its own `main` and instruments all that it links.
let package = Package(
    name: "FuzzTesting",
    targets: [
        room("MQTTCodec"),
        room("WebSocketCodec"),
        room("ProxyProtocol"),
        room("ApusLocks"),
        room("ApusMemory"),
        room("ApusTopics", ["ApusLocks", "ApusMemory"]),
        room("ApusMessage", ["ApusTopics", "MQTTCodec"]),
        room("ApusSession", ["ApusMemory", "ApusMessage", "ApusTopics", "MQTTCodec"]),
        room("ApusStore", ["ApusMemory", "ApusMessage", "ApusTopics", "MQTTCodec"]),
        room(
            "ApusBroker",
            ["ApusLocks", "ApusSession", "ApusStore", "ApusMessage", "ApusTopics", "ApusMemory", "MQTTCodec"]
        ),
        // A link to Tests/FuzzReplayTests/Harness, which the main package's tests replay the corpus with.
        .target(
            name: "FuzzHarness",
            dependencies: [
                "ApusBroker", "ApusLocks", "ApusMemory", "ApusMessage", "ApusSession", "ApusStore", "ApusTopics",
                "MQTTCodec",
                "ProxyProtocol", "WebSocketCodec",
            ],
            swiftSettings: settings,
        ),
        fuzzer("Decoder"),
        fuzzer("Connection"),
        fuzzer("WebSocket"),
    ],
)
