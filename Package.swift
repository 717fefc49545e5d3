// swift-tools-version: 6.2
import PackageDescription

/// The layers, bottom first. An import may only point downward; `make check` enforces it.
let package = Package(
  name: "inversion",
  products: [
    .executable(name: "inversion", targets: ["inversion"]),
    .executable(name: "inversiond", targets: ["inversiond"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
  ],
  targets: [
    // C: microkernels and system libraries.
    .target(name: "CKernels", exclude: ["README.md"], cSettings: [.unsafeFlags(["-O3"])]),
    .target(name: "COpenBLAS"),
    .target(
      name: "CImageCodecs",
      linkerSettings: [
        .linkedLibrary("png"), .linkedLibrary("jpeg"), .linkedLibrary("webp"), .linkedLibrary("webpmux"),
        .linkedLibrary("webpdemux"),
      ]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),

    // Storage and maths.
    .target(name: "CClipMerges", exclude: ["LICENSE", "README.md", "merges.txt"]),
    .target(name: "Errors"),
    .target(name: "Files", dependencies: ["Errors"]),
    .target(name: "StrictJSON"),
    .target(name: "Tensors", dependencies: ["Errors"]),
    .target(name: "Kernels", dependencies: ["CKernels", "COpenBLAS", "Tensors"]),
    .target(name: "Zlib", dependencies: ["CZlib"]),
    .target(name: "Tokenizer", dependencies: ["CClipMerges", "Errors", "Files", "StrictJSON"]),
    .target(name: "Schedules", dependencies: ["Errors"]),

    // Operations.
    .target(name: "Ops", dependencies: ["Files", "Kernels", "Tensors"]),
    .target(
      name: "Formats",
      dependencies: [
        "Errors", "Files", "StrictJSON", "Tensors", "Zlib", .product(name: "Crypto", package: "swift-crypto"),
      ]),
    .target(name: "Images", dependencies: ["CImageCodecs", "Errors", "Files", "Zlib"]),
    .target(name: "Wire"),

    // Networks.
    .target(
      name: "Models",
      dependencies: ["Errors", "Formats", "Kernels", "Ops", "Schedules", "Tensors", "Tokenizer"]),
    .target(name: "Embeddings", dependencies: ["Errors", "Formats", "Images", "StrictJSON", "Tensors", "Zlib"]),

    // Product.
    .target(name: "Generation", dependencies: ["Embeddings", "Errors", "Images", "Models", "Ops", "Schedules"]),
    .target(
      name: "Import", dependencies: ["Errors", "Files", "Formats", "Kernels", "Models", "Ops", "Schedules", "Tensors"]),
    .target(
      name: "Training",
      dependencies: ["Embeddings", "Errors", "Files", "Formats", "Images", "Models", "Ops", "Schedules", "Tensors"]),

    .target(name: "Measurement", dependencies: ["Kernels", "Models", "Ops", "Tensors"]),

    // Socket ends.
    .target(
      name: "Client",
      dependencies: [
        "Errors", "Wire", .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
      ]),
    .target(
      name: "Daemon",
      dependencies: [
        "CSystemd", "Embeddings", "Errors", "Files", "Generation", "Images", "Measurement", "Models", "Wire",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"), .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
      ]),

    // Programs.
    .executableTarget(
      name: "inversion",
      dependencies: [
        "Client", "Embeddings", "Errors", "Files", "Generation", "Images", "Import", "Kernels", "Measurement", "Models",
        "Training", "Wire",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "inversiond",
      dependencies: [
        "Daemon", "Errors", "Generation", "Kernels", "Models",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ]),

    .executableTarget(
      name: "EngineBenchmark", dependencies: ["Kernels", "Measurement", "Models", "Ops", "Tensors"],
      path: "Benchmarks/engine"),
    .executableTarget(
      name: "FaithfulBenchmark", dependencies: ["Embeddings", "Generation", "Images"], path: "Benchmarks/faithful",
      exclude: ["prompts.txt"]),
    .target(name: "CCeilings", path: "Benchmarks/ceilings", cSettings: [.unsafeFlags(["-O3"])]),
    .executableTarget(
      name: "KernelBenchmark", dependencies: ["CCeilings", "Kernels", "Ops", "Tensors"], path: "Benchmarks/kernels"),

    // Tests, a target for each source target that has some.
    .testTarget(name: "TensorsTests", dependencies: ["Tensors"]),
    .testTarget(
      name: "KernelsTests", dependencies: ["CKernels", "Kernels", "Tensors", "TestSupport"], exclude: ["Arm64"]),
    .testTarget(name: "ZlibTests", dependencies: ["Zlib"]),
    .testTarget(name: "StrictJSONTests", dependencies: ["StrictJSON"]),
    .testTarget(name: "TokenizerTests", dependencies: ["Tokenizer"], resources: [.copy("Golden")]),
    .testTarget(name: "SchedulesTests", dependencies: ["Schedules"], resources: [.copy("Golden")]),
    .testTarget(name: "OpsTests", dependencies: ["Kernels", "Ops", "Tensors"]),
    .testTarget(name: "FormatsTests", dependencies: ["Formats", "TestSupport"], resources: [.copy("Samples")]),
    .testTarget(name: "ImagesTests", dependencies: ["Images", "TestSupport"], resources: [.copy("Samples")]),
    .testTarget(
      name: "ModelsTests", dependencies: ["Errors", "Formats", "Kernels", "Models", "Ops", "Tensors"],
      resources: [.copy("Golden")]),
    .testTarget(
      name: "ImportTests", dependencies: ["Errors", "Formats", "Import", "Kernels", "Models", "Ops", "Tensors"]),
    .testTarget(
      name: "EmbeddingsTests", dependencies: ["Embeddings", "Errors", "Formats", "Images", "TestSupport"],
      resources: [.copy("Samples")]),
    .testTarget(
      name: "GenerationTests",
      dependencies: ["Embeddings", "Errors", "Formats", "Generation", "Kernels", "Models", "Schedules"],
      resources: [.copy("Golden")]),
    .testTarget(
      name: "TrainingTests",
      dependencies: ["Embeddings", "Errors", "Formats", "Images", "Kernels", "Models", "Ops", "Training"],
      resources: [.copy("Golden")]),
    .testTarget(
      name: "DaemonTests",
      dependencies: [
        "Client", "Daemon", "DaemonTestSupport", "Embeddings", "Errors", "Generation", "Images", "Measurement", "Wire",
        "inversiond-for-tests",
      ]),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "Client", "DaemonTestSupport", "Embeddings", "Errors", "Images", "Wire", "inversion", "inversiond",
      ]),
    .testTarget(name: "CrashTests", dependencies: ["FuzzParsers"], exclude: ["Crashes"]),
    // What the fuzzers feed, and the tests that feed it their findings again.
    .target(
      name: "FuzzParsers",
      dependencies: [
        "Daemon", "Embeddings", "Errors", "Formats", "Generation", "Images", "Models", "StrictJSON", "Tokenizer",
        "Wire", .product(name: "NIOCore", package: "swift-nio"),
      ],
      path: "Tests/FuzzParsers"),
    // What the tests of several targets share.
    .target(name: "TestSupport", path: "Tests/TestSupport"),
    // A daemon with a model that is fast and makes the same picture everywhere: in process, and as a program.
    .target(
      name: "DaemonTestSupport",
      dependencies: [
        "Client", "Daemon", "Embeddings", "Errors", "Generation", "Images",
        .product(name: "Logging", package: "swift-log"),
      ], path: "Tests/DaemonTestSupport"),
    .executableTarget(
      name: "inversiond-for-tests",
      dependencies: ["Daemon", "DaemonTestSupport", "Errors", .product(name: "Logging", package: "swift-log")],
      path: "Tests/inversiond-for-tests"),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu11
)

// `make fuzz` alone builds the fuzzers, with a sanitizer.
if Context.environment["INVERSION_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "Fuzz", dependencies: ["FuzzParsers"], path: "Tools/fuzz/Fuzz",
      swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}
