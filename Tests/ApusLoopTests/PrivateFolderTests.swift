import Foundation
import Testing

@testable import ApusLoop

@Suite("A folder that only its owner may enter")
struct PrivateFolderTests {
    private func withScratch(_ body: (String) throws -> Void) throws {
        let scratch = NSTemporaryDirectory() + "apus-folder-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        try body(scratch)
    }

    private func mode(_ path: String) throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    @Test func `missing folders are made with mode 0700, those that stand keep theirs`() throws {
        try withScratch { scratch in
            try #require(chmod(scratch, 0o755) == 0)
            _ = try PrivateFolder(creating: scratch + "//a/b/")
            #expect(try mode(scratch) == 0o755)
            #expect(try mode(scratch + "/a") == 0o700)
            #expect(try mode(scratch + "/a/b") == 0o700)
            try #require(chmod(scratch + "/a", 0o750) == 0)
            _ = try PrivateFolder(creating: scratch + "/a/b")
            #expect(try mode(scratch + "/a") == 0o750)
        }
    }

    @Test func `a file is written with mode 0600 and read back; the next replaces it`() throws {
        try withScratch { scratch in
            let folder = try PrivateFolder(creating: scratch + "/data")
            #expect(try folder.read("key") == nil)
            try folder.write("one", to: "key")
            #expect(try folder.read("key") == "one")
            #expect(try mode(folder.path(of: "key")) == 0o600)
            try #require(chmod(folder.path(of: "key"), 0o644) == 0)
            // What a process left behind that was ended while it wrote does not stand in the way.
            try Data("half".utf8).write(to: URL(filePath: folder.path(of: "key.new")))
            let long = String(repeating: "x", count: 100_000)
            try folder.write(long, to: "key")
            #expect(try folder.read("key") == long)
            #expect(try mode(folder.path(of: "key")) == 0o600)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["key"])
        }
    }

    @Test func `a file in the way is an error and stays`() throws {
        try withScratch { scratch in
            try Data("mine".utf8).write(to: URL(filePath: scratch + "/file"))
            #expect(throws: SystemError.self) { try PrivateFolder(creating: scratch + "/file/data") }
            let folder = try PrivateFolder(creating: scratch + "/file")
            #expect(throws: SystemError.self) { try folder.write("x", to: "key") }
            #expect(throws: SystemError.self) { try folder.read("key") }
            #expect(try String(contentsOfFile: scratch + "/file", encoding: .utf8) == "mine")
        }
    }

    @Test func `a folder in the place of the file is an error and nothing is left behind`() throws {
        try withScratch { scratch in
            let folder = try PrivateFolder(creating: scratch)
            _ = try PrivateFolder(creating: scratch + "/key")
            #expect(throws: SystemError.self) { try folder.write("x", to: "key") }
            #expect(throws: SystemError.self) { try folder.read("key") }
            #expect(try FileManager.default.contentsOfDirectory(atPath: scratch) == ["key"])
        }
    }
}
