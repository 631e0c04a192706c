// swift-tools-version: 6.2
import PackageDescription

/// Settings of every target.
///
/// The two unsafe flags are measured in docs/decisions/0003-compiler-flags.md.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
    .unsafeFlags(["-cross-module-optimization", "-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// A library target of the house; see ARCHITECTURE.md for the levels.
func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// The tests of one target, in `Tests/<name>Tests`.
func tests(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.byName(name: name)] + dependencies,
        resources: resources,
        swiftSettings: settings,
    )
}

let package = Package(
    name: "apus",
    products: [.executable(name: "apus", targets: ["apus"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        // Without its traits it brings neither swift-configuration nor the whole of Foundation.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Level 0: the system's libraries, the one lock of the house, and its containers.
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CLinux"),
        room("ApusLocks"),
        room("ApusMemory"),
        // Level 1: one protocol or one data structure each; they know nothing of Apus.
        room("MQTTCodec"),
        room("WebSocketCodec"),
        room("ProxyProtocol"),
        room("ApusTopics", ["ApusLocks", "ApusMemory"]),
        room("ApusCrypto", ["COpenSSL"]),
        // Level 2: the vocabulary, and the system below it.
        room("ApusMessage", ["ApusTopics", "MQTTCodec"]),
        room("ApusLoop", ["ApusLocks", "ApusMemory", "CLinux", "COpenSSL"]),
        // Level 3: machines, event in, action out.
        room("ApusSession", ["ApusMemory", "ApusMessage", "ApusTopics", "MQTTCodec"]),
        room("ApusStore", ["ApusMemory", "ApusMessage", "ApusTopics", "MQTTCodec"]),
        room("MQTTClient", ["MQTTCodec"]),
        room("ApusResources", ["ApusCrypto", "ApusLocks", "ApusMessage", "ApusTopics", "MQTTCodec"]),
        room(
            "ApusHTTP",
            [
                "ApusLoop",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        // Level 4: the broker and the ports that it needs.
        room(
            "ApusBroker",
            ["ApusLocks", "ApusSession", "ApusStore", "ApusMessage", "ApusTopics", "ApusMemory", "MQTTCodec"]
        ),
        // Level 5: edges.
        room(
            "ApusTransport",
            [
                "ApusBroker", "ApusLocks", "ApusLoop", "ApusMemory", "ApusCrypto", "ApusMessage", "ProxyProtocol",
                "WebSocketCodec",
            ]
        ),
        room(
            "ApusCredentials",
            ["ApusBroker", "ApusCrypto", "ApusLocks", "ApusMessage", "ApusResources", "ApusTopics", "MQTTCodec"]
        ),
        room(
            "ApusLog",
            ["ApusStore", "ApusLocks", "ApusLoop", "ApusMemory", "ApusMessage", "ApusTopics", "MQTTCodec"]
        ),
        room(
            "ApusCatalog",
            ["ApusLoop", "ApusResources", "ApusMessage", "MQTTCodec", .product(name: "GRDB", package: "GRDB.swift")]
        ),
        room("ApusBench", ["ApusCrypto", "ApusLoop", "ApusMemory", "MQTTCodec", "WebSocketCodec"]),
        room("ApusConfiguration", [.product(name: "Yams", package: "Yams")]),
        room(
            "ApusManagement",
            [
                "ApusBroker", "ApusCrypto", "ApusHTTP", "ApusLocks", "ApusLoop", "ApusMessage", "ApusResources",
                "ApusTopics", "MQTTCodec",
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]
        ),
        // Level 6: the executable.
        .executableTarget(
            name: "apus",
            dependencies: [
                "ApusBench", "ApusBroker", "ApusCatalog", "ApusConfiguration", "ApusCredentials", "ApusCrypto",
                "ApusHTTP", "ApusLocks", "ApusLog", "ApusLoop", "ApusManagement", "ApusMessage", "ApusResources",
                "ApusStore", "ApusTransport", "MQTTClient", "MQTTCodec",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: settings,
        ),
        // Not part of a product: `make bench` and the tests build them.
        .target(name: "CMeasure", path: "Benchmarks/CMeasure"),
        .executableTarget(
            name: "ApusMicrobench",
            dependencies: [
                "ApusLog", "ApusLoop", "ApusMessage", "ApusSession", "ApusStore", "ApusTopics", "CMeasure", "MQTTCodec",
            ],
            path: "Benchmarks/Micro",
            swiftSettings: settings,
        ),
        // Tests.
        tests("WebSocketCodec"),
        tests("ProxyProtocol"),
        tests("MQTTCodec"),
        tests("MQTTClient", ["MQTTCodec"]),
        tests("ApusLocks"),
        tests("ApusTopics"),
        tests("ApusMemory"),
        tests("ApusCrypto"),
        tests("ApusLoop", ["ApusLocks", "ApusMemory"]),
        tests(
            "ApusHTTP",
            [
                "ApusCrypto", "ApusLocks", "ApusLoop",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        tests("ApusSession", ["ApusMessage", "ApusTopics", "MQTTCodec"]),
        tests("ApusStore", ["ApusMessage", "ApusTopics", "MQTTCodec"]),
        tests(
            "ApusTransport",
            [
                "ApusBroker", "ApusLocks", "ApusLoop", "ApusMemory", "ApusMessage", "ApusStore", "MQTTCodec",
                "WebSocketCodec",
            ]
        ),
        tests(
            "ApusLog",
            ["ApusStore", "ApusLocks", "ApusLoop", "ApusMemory", "ApusMessage", "ApusTopics", "MQTTCodec"]
        ),
        tests(
            "ApusCredentials",
            ["ApusBroker", "ApusCrypto", "ApusLocks", "ApusMessage", "ApusResources", "ApusTopics", "MQTTCodec"]
        ),
        tests("ApusResources", ["ApusCrypto", "ApusLocks", "ApusMessage", "MQTTCodec"]),
        tests(
            "ApusCatalog",
            ["ApusResources", "ApusMessage", "MQTTCodec", .product(name: "GRDB", package: "GRDB.swift")]
        ),
        tests("ApusBench", ["MQTTCodec"]),
        tests("ApusConfiguration"),
        tests(
            "ApusBroker",
            [
                "ApusLocks", "ApusLog", "ApusLoop", "ApusMemory", "ApusMessage", "ApusSession", "ApusStore",
                "ApusTopics", "CLinux",
                "MQTTCodec",
            ]
        ),
        tests(
            "ApusManagement",
            [
                "ApusBroker", "ApusCrypto", "ApusLocks", "ApusMessage", "ApusResources", "MQTTCodec",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "ApusCommandTests",
            dependencies: [
                "apus", "ApusBench", "ApusBroker", "ApusConfiguration", "ApusLog", "ApusMessage", "ApusTransport",
                "MQTTClient", "MQTTCodec",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings,
        ),
        .testTarget(
            name: "FuzzReplayTests",
            dependencies: [
                "ApusBroker", "ApusLocks", "ApusMemory", "ApusMessage", "ApusSession", "ApusStore", "ApusTopics",
                "MQTTCodec",
                "ProxyProtocol", "WebSocketCodec",
            ],
            swiftSettings: settings,
        ),
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "ApusBroker", "ApusLocks", "ApusMemory", "ApusMessage", "ApusSession", "ApusStore", "ApusTopics",
                "MQTTCodec",
            ],
            swiftSettings: settings,
        ),
        .testTarget(
            name: "WireTests",
            dependencies: ["apus"],
            exclude: ["README.md", "Scripts"],
            swiftSettings: settings,
        ),
    ],
)
