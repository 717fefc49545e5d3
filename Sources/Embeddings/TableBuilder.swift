/// Makes the table that follows from the files of a folder.
///
/// Of two files with one name, the one less deep in the folder wins, then the one whose path sorts first, extensions
/// apart: `word` before `word-500`, which trainers write on the way. The other one is called by its file's name. The
/// same files give the same table, in whatever order they came.
struct TableBuilder {
  private let previous: EmbeddingTable
  private let vocabulary: EmbeddingVocabulary
  private let next: Int
  private var embeddings: [String: LearnedEmbedding] = [:]
  /// The file behind each name.
  private var sources: [String: String] = [:]
  /// The names, as their files were added.
  private var order: [String] = []
  private var aliases: [String: String] = [:]
  private var rejected: [RejectedFile] = []
  /// Those whose own name is that of another file.
  private var displaced: [(path: String, embedding: LearnedEmbedding)] = []

  private init(after previous: EmbeddingTable, _ vocabulary: EmbeddingVocabulary) {
    self.previous = previous
    self.vocabulary = vocabulary
    next = previous.generation + 1
  }

  /// The table of the files as they are now: of the next generation, or of the same when nothing has changed.
  static func table(of state: inout FolderState, after previous: EmbeddingTable) -> EmbeddingTable {
    switch state.takeChanges() {
    case .none: return previous
    case .one(let path):
      if let file = state.files[path], let table = replacing(path, file, in: previous, state.vocabulary) {
        return table
      }
    case .many: break
    }
    var builder = TableBuilder(after: previous, state.vocabulary)
    if let reason = state.folderRefusal { builder.rejected.append(RejectedFile(path: "", reason: reason)) }
    // One list a depth, because the names of thousands of files are compared often.
    for (_, paths) in Dictionary(grouping: state.files.keys, by: \.depth).sorted(by: { $0.key < $1.key }) {
      for (_, path) in paths.map({ ($0.withoutExtension, $0) }).sorted(by: <) {
        if let file = state.files[path] { builder.add(path, file) }
      }
    }
    builder.addAliases()
    builder.addDisplaced()
    builder.addWarnings()
    return builder.table()
  }

  /// The usual change, in a store of thousands: one file has other vectors and is called as before.
  private static func replacing(
    _ path: String, _ file: KnownFile, in previous: EmbeddingTable, _ vocabulary: EmbeddingVocabulary
  ) -> EmbeddingTable? {
    guard file.refusal == nil, let embedding = file.embedding, previous.files[embedding.name] == path,
      let old = previous.embeddings[embedding.name], old.otherName == embedding.otherName,
      !previous.rejected.contains(where: { $0.path == path }), old.sha256 != embedding.sha256
    else { return nil }
    let next = previous.generation + 1
    var builder = TableBuilder(after: previous, vocabulary)
    let words = previous.aliases(of: embedding.name)
    let notes = builder.notes(of: embedding, words: words)
    builder.embeddings = previous.embeddings
    builder.embeddings[embedding.name] = embedding.with(notes: notes, generation: next)
    return previous.replacing(builder.embeddings, generation: next)
  }

  private mutating func add(_ path: String, _ file: KnownFile) {
    if let refusal = file.refusal {
      let note = file.embedding == nil ? "" : "; the vectors it had before stay in force"
      rejected.append(RejectedFile(path: path, reason: refusal + note))
    }
    guard let embedding = file.embedding else { return }
    if sources[embedding.name] == nil {
      put(embedding, path)
    } else {
      displaced.append((path, embedding))
    }
  }

  private mutating func put(_ embedding: LearnedEmbedding, _ path: String) {
    let known = previous.embeddings[embedding.name]
    let generation = known?.sha256 == embedding.sha256 ? known?.generation ?? next : next
    embeddings[embedding.name] = embedding.with(generation: generation)
    sources[embedding.name] = path
    order.append(embedding.name)
  }

  /// The file that has a word, as its name or as its alias.
  private func owner(of word: String) -> String? { sources[word] ?? aliases[word].flatMap { sources[$0] } }

  /// The words beside their own by which the files in force can be called, and a note for each that is not free.
  private mutating func addAliases() {
    for name in order {
      guard let path = sources[name] else { continue }
      for word in [EmbeddingFile.stem(of: path), embeddings[name]?.otherName].compactMap(\.self) {
        if word == name || aliases[word] == name || !EmbeddingFile.isUsable(name: word) { continue }
        if let owner = owner(of: word) {
          let reason = "in force as '\(name)', but '\(word)' is already a name of '\(owner)'"
          rejected.append(RejectedFile(path: path, reason: reason))
        } else {
          aliases[word] = name
        }
      }
    }
  }

  /// By the stems of their files, where those are free, with a note.
  private mutating func addDisplaced() {
    for (path, embedding) in displaced {
      let stem = EmbeddingFile.stem(of: path)
      let taken = "its name '\(embedding.name)' is that of '\(sources[embedding.name] ?? "")' already"
      guard EmbeddingFile.isUsable(name: stem) else {
        rejected.append(RejectedFile(path: path, reason: "\(taken); give the file a name that prompts can call"))
        continue
      }
      if let other = owner(of: stem) ?? owner(of: "<\(stem)>") {
        let reason = "\(taken), and '\(stem)' one of '\(other)'; give the file another name"
        rejected.append(RejectedFile(path: path, reason: reason))
      } else {
        let note = "\(taken): this one is called '\(stem)', as its file"
        put(embedding.renamed(stem).with(notes: embedding.notes + [note]), path)
      }
    }
  }

  private mutating func addWarnings() {
    let words = Dictionary(grouping: aliases.keys) { aliases[$0] ?? "" }
    for (name, embedding) in embeddings {
      embeddings[name] = embedding.with(notes: notes(of: embedding, words: (words[name] ?? []).sorted()))
    }
  }

  /// What the file's reader noted, and what this model has to say of it.
  private func notes(of embedding: LearnedEmbedding, words: [String]) -> [String] {
    embedding.notes + vocabulary.warnings(of: embedding, words: [embedding.name] + words)
  }

  /// With an equal content the generation stays, though vectors may have moved from memory into a file.
  private func table() -> EmbeddingTable {
    let isSame =
      embeddings == previous.embeddings && aliases == previous.aliases && sources == previous.files
      && rejected == previous.rejected
    if isSame { return previous.replacing(embeddings, generation: previous.generation) }
    return EmbeddingTable(
      generation: next, embeddings: embeddings, aliases: aliases, files: sources, rejected: rejected)
  }
}

extension String {
  /// Folders above the file.
  fileprivate var depth: Int { utf8.count { $0 == UInt8(ascii: "/") } }

  fileprivate var withoutExtension: Substring {
    lastIndex(of: ".").map { self[..<$0] } ?? self[...]
  }
}
