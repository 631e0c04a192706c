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

/// Fuzz targets stand apart, because libFuzzer brings its own `main` and instruments all that it links.
///
/// `Sources/MQTTCodec` is a link to the real target: the codec is built with instrumentation here, and nothing else of the
/// broker has to be built at all.
let package = Package(
    name: "FuzzTesting",
    targets: [
        .target(name: "MQTTCodec", swiftSettings: settings),
        .executableTarget(
            name: "DecoderFuzzer",
            dependencies: ["MQTTCodec"],
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])],
        ),
    ],
)
