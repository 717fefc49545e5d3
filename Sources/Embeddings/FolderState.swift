import Errors
import Glibc

/// What the files of an embeddings folder hold, path by path.
struct FolderState {
  let folder: String
  let vocabulary: EmbeddingVocabulary
  /// By path relative to the folder.
  private(set) var files: [String: KnownFile] = [:]
  /// Why the folder itself cannot be read.
  private(set) var folderRefusal: String? {
    didSet { if folderRefusal != oldValue { hasOtherChanges = true } }
  }
  /// Of what was read before, in this run or an earlier one; nil to do without.
  private var index: EmbeddingIndex?
  /// Floats in memory, of embeddings that no pack holds.
  private var residentCount = 0
  /// Files read since the index was written.
  private var readCount = 0
  /// Files read in all.
  private(set) var totalReads = 0
  /// Of the file system's times, in nanoseconds.
  private let tick: Int64
  /// Paths whose record has changed since `takeChanges`.
  private var changes: Set<String> = []
  private var hasOtherChanges = false

  /// With fewer floats than this in memory (4 MB), and fewer files than this to read, a store does without an index.
  private static let residentLimit = 1 << 20
  private static let readLimit = 256

  init(folder: String, vocabulary: EmbeddingVocabulary, cache: String?, tick: Int64) {
    self.folder = folder
    self.tick = tick
    self.vocabulary = vocabulary
    index = cache.map { EmbeddingIndex(cache: $0, embeddings: folder, vocabulary: vocabulary) }
    index?.load()
  }

  /// Whether a file of this name is looked at. What is hidden, temporary or of another kind is not there for us, nor is
  /// a preview that tools keep beside an embedding.
  static func isCandidate(_ path: String) -> Bool {
    let name = path.split(separator: "/").last ?? ""
    return !name.hasPrefix(".") && !name.lowercased().hasSuffix(previewEnding) && EmbeddingContainer(path: path) != nil
  }

  private static let previewEnding = ".preview.png"

  /// Lists everything again and reads what has changed; `enter` is called with each folder before it is listed, so that
  /// a watch misses nothing.
  /// - Parameter all: read files that look unchanged, too.
  mutating func rescan(all: Bool, enter: (String) -> Void) {
    var found: [String: EmbeddingFolder.Found] = [:]
    do throws(InversionError) {
      found = try EmbeddingFolder.files(of: folder, enter: enter).filter { path, file in
        Self.isCandidate(path) || file.leaves
      }
      folderRefusal = nil
    } catch {
      // A folder that is being replaced is gone for a moment: what it held stays in force.
      folderRefusal = error.message
      return
    }
    for path in files.keys where found[path] == nil { set(path, nil) }
    for (path, file) in found {
      if all || !isUnchanged(path, now: file.stamp) { refresh(path) }
      if residentCount > 4 * Self.residentLimit { save() }
    }
    // What the index said is in `files` now, and the rest of it is of no use.
    index?.files = [:]
    saveIfLarge()
  }

  /// Whether the file is as it was read; what an earlier run has read is taken over.
  private mutating func isUnchanged(_ path: String, now stamp: FileStamp) -> Bool {
    guard let known = files[path] ?? index?.files[path], known.stamp == stamp else { return false }
    if files[path] == nil { set(path, known) }
    return true
  }

  /// Reads one file again, which may be new, changed or gone.
  mutating func refresh(_ path: String) {
    if EmbeddingFolder.leaves(folder, path) {
      return refuse(path, "a link out of the embeddings folder; put the file itself there, or a hard link", stamp: nil)
    }
    guard Self.isCandidate(path) || files[path] != nil else { return }
    let full = "\(folder)/\(path)"
    readCount += 1
    totalReads += 1
    guard let stamp = FileStamp(path: full) else {
      // A file that is there and cannot be looked at is refused below.
      if errno == ENOENT || errno == ENOTDIR { return set(path, nil) }
      return refuse(path, "cannot be read: \(String(cString: strerror(errno)))", stamp: nil)
    }
    var settled = stamp.isSettled(tick: tick) ? stamp : nil
    do throws(InversionError) {
      let embedding = try Self.read(full)
      guard FileStamp(path: full) == stamp else {
        // Whoever writes it will be done, and the watch will tell.
        return refuse(path, "is being written", stamp: nil)
      }
      if let embedding, let reason = vocabulary.refusal(of: embedding) { return refuse(path, reason, stamp: settled) }
      set(path, KnownFile(embedding: embedding, refusal: nil, stamp: settled))
    } catch {
      if error.code == .fileUnavailable { settled = nil }
      refuse(path, Self.reason(of: error, path: full), stamp: settled)
    }
  }

  /// Keeps the last good content in force.
  private mutating func refuse(_ path: String, _ reason: String, stamp: FileStamp?) {
    set(path, KnownFile(embedding: files[path]?.embedding, refusal: reason, stamp: stamp))
  }

  private mutating func set(_ path: String, _ file: KnownFile?) {
    residentCount -= files[path]?.embedding?.storage.residentCount ?? 0
    residentCount += file?.embedding?.storage.residentCount ?? 0
    files[path] = file
    changes.insert(path)
  }

  /// Nil for a picture that carries no embedding: most are previews.
  private static func read(_ path: String) throws(InversionError) -> LearnedEmbedding? {
    try EmbeddingFile.readIfAny(bytes: EmbeddingFile.bytes(of: path), path: path)
  }

  /// The message without the path that it begins with, which stands beside it wherever reasons are listed.
  private static func reason(of error: InversionError, path: String) -> String {
    let prefix = "'\(path)': "
    return error.message.hasPrefix(prefix) ? String(error.message.dropFirst(prefix.count)) : error.message
  }

  /// Moves the vectors out of memory when they are many.
  mutating func saveIfLarge() {
    if residentCount > Self.residentLimit || readCount >= Self.readLimit { save() }
  }

  private mutating func save() {
    guard var index else { return }
    do {
      try index.save(&files)
      self.index = index
      (residentCount, readCount) = (0, 0)
      hasOtherChanges = true
    } catch {
      // Without a place to write they stay in memory.
      self.index = nil
    }
  }

  enum Changes {
    case none
    case one(String)
    case many
  }

  /// What has changed since the last call.
  mutating func takeChanges() -> Changes {
    defer {
      changes = []
      hasOtherChanges = false
    }
    if hasOtherChanges || changes.count > 1 { return .many }
    return changes.first.map { .one($0) } ?? .none
  }
}
