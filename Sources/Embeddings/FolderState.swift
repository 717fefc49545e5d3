import Errors
import Glibc

/// What the files of an embeddings folder hold, path by path, and the table that follows from it.
struct FolderState {
  /// A file, by its last good content and what is wrong with the present one.
  private struct File {
    var embedding: LearnedEmbedding?
    var refusal: String?
  }

  let folder: String
  /// Of the model's token embeddings.
  let width: Int
  /// By path relative to the folder.
  private var files: [String: File] = [:]
  /// Why the folder itself cannot be read.
  private var folderRefusal: String?

  init(folder: String, width: Int) {
    self.folder = folder
    self.width = width
  }

  /// Whether a file of this name is looked at. What is hidden, temporary or of another kind is not there for us, nor is
  /// a preview that tools keep beside an embedding.
  static func isCandidate(_ path: String) -> Bool {
    let name = path.split(separator: "/").last ?? ""
    return !name.hasPrefix(".") && !name.lowercased().hasSuffix(previewEnding) && EmbeddingContainer(path: path) != nil
  }

  private static let previewEnding = ".preview.png"

  /// Reads everything again; `enter` is called with each folder before it is listed, so that a watch misses nothing.
  mutating func rescan(enter: (String) -> Void) {
    var found: Set<String> = []
    do throws(InversionError) {
      found = try EmbeddingFolder.files(of: folder, enter: enter).filter(Self.isCandidate)
      folderRefusal = nil
    } catch {
      // A folder that is being replaced is gone for a moment: what it held stays in force.
      folderRefusal = error.message
      return
    }
    for path in files.keys where !found.contains(path) { files[path] = nil }
    for path in found { refresh(path) }
  }

  /// Reads one file again, which may be new, changed or gone.
  mutating func refresh(_ path: String) {
    guard Self.isCandidate(path) else { return }
    let full = "\(folder)/\(path)"
    var status = stat()
    guard stat(full, &status) == 0 || errno != ENOENT && errno != ENOTDIR else {
      files[path] = nil
      return
    }
    do throws(InversionError) {
      files[path] = try Self.read(full, width: width).map { File(embedding: $0, refusal: nil) }
    } catch {
      files[path, default: File()].refusal = Self.reason(of: error, path: full)
    }
  }

  /// Nil for a picture that carries no embedding: most are previews.
  /// - Throws: the errors of `EmbeddingFile.read`, `.badEmbedding` for what this model cannot use.
  static func read(_ path: String, width: Int) throws(InversionError) -> LearnedEmbedding? {
    guard let embedding = try EmbeddingFile.readIfAny(bytes: EmbeddingFile.bytes(of: path), path: path) else {
      return nil
    }
    return try checked(embedding, width: width, path: path)
  }

  static func checked(
    _ embedding: LearnedEmbedding, width: Int, path: String
  ) throws(InversionError) -> LearnedEmbedding {
    guard embedding.width == width else {
      let family = families[embedding.width].map { "made for \($0)" } ?? "made for another model"
      throw InversionError(
        .badEmbedding, "'\(path)': \(embedding.width) wide: \(family); this model needs \(width)")
    }
    guard !embedding.isPerLayer else {
      throw InversionError(
        .badEmbedding,
        "'\(path)': per-layer (XTI): \(embedding.layers) sets of vectors, one for each cross-attention layer; "
          + "prompts take one set for all layers")
    }
    return embedding
  }

  private static let families = [
    192: "emoji-64", 768: "SD 1.x (CLIP ViT-L)", 1024: "SD 2.x (OpenCLIP ViT-H)",
    1280: "SDXL's second text encoder (OpenCLIP ViT-bigG)",
  ]

  /// The message without the path that it begins with, which stands beside it wherever reasons are listed.
  private static func reason(of error: InversionError, path: String) -> String {
    let prefix = "'\(path)': "
    return error.message.hasPrefix(prefix) ? String(error.message.dropFirst(prefix.count)) : error.message
  }

  /// The table of the files as they are now: `previous` itself when nothing changed, else one of the next generation.
  ///
  /// Of two files with one name, the one less deep in the folder wins, then the one whose path sorts first: the same
  /// files give the same table, in whatever order they came.
  func table(after previous: EmbeddingTable) -> EmbeddingTable {
    let next = previous.generation + 1
    var embeddings: [String: LearnedEmbedding] = [:]
    var sources: [String: String] = [:]
    var rejected = folderRefusal.map { [RejectedFile(path: "", reason: $0)] } ?? []
    let ordered = files.sorted { ($0.key.depth, $0.key) < ($1.key.depth, $1.key) }
    for (path, file) in ordered {
      if let refusal = file.refusal {
        let note = file.embedding == nil ? "" : "; the vectors it had before stay in force"
        rejected.append(RejectedFile(path: path, reason: refusal + note))
      }
      guard let embedding = file.embedding else { continue }
      if let owner = sources[embedding.name] {
        let reason = "its name '\(embedding.name)' is that of '\(owner)' already; rename one of them"
        rejected.append(RejectedFile(path: path, reason: reason))
        continue
      }
      let known = previous.embeddings[embedding.name]
      let generation = known?.sha256 == embedding.sha256 ? known?.generation ?? next : next
      embeddings[embedding.name] = embedding.inForce(since: generation)
      sources[embedding.name] = path
    }
    let (aliases, shadowed) = Self.aliases(embeddings, sources: sources)
    let table = EmbeddingTable(
      generation: next, embeddings: embeddings, aliases: aliases, files: sources, rejected: rejected + shadowed)
    return table.sameContent(as: previous) ? previous : table
  }

  /// The words beside their own by which the files in force can be called, and a note for each that is not free.
  private static func aliases(
    _ embeddings: [String: LearnedEmbedding], sources: [String: String]
  ) -> (aliases: [String: String], shadowed: [RejectedFile]) {
    var aliases: [String: String] = [:]
    var shadowed: [RejectedFile] = []
    for (name, path) in sources.sorted(by: { ($0.value.depth, $0.value) < ($1.value.depth, $1.value) }) {
      for word in [EmbeddingFile.stem(of: path), embeddings[name]?.otherName].compactMap(\.self) {
        if word == name || aliases[word] == name || !EmbeddingFile.isUsable(name: word) { continue }
        if let owner = sources[word] ?? aliases[word].flatMap({ sources[$0] }) {
          let reason = "in force as '\(name)', but '\(word)' is already a name of '\(owner)'"
          shadowed.append(RejectedFile(path: path, reason: reason))
        } else {
          aliases[word] = name
        }
      }
    }
    return (aliases, shadowed)
  }
}

extension EmbeddingTable {
  fileprivate func sameContent(as other: EmbeddingTable) -> Bool {
    embeddings == other.embeddings && aliases == other.aliases && files == other.files && rejected == other.rejected
  }
}

extension LearnedEmbedding {
  fileprivate func inForce(since generation: Int) -> LearnedEmbedding {
    LearnedEmbedding(
      name: name, otherName: otherName, vectors: vectors, width: width, layers: layers, sha256: sha256,
      metadata: metadata, origin: origin, notes: notes, generation: generation)
  }
}

extension String {
  /// Folders above the file.
  fileprivate var depth: Int { utf8.count { $0 == UInt8(ascii: "/") } }
}
