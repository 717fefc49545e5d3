import Dispatch
import Errors
import Formats
import Glibc
import Synchronization

/// The embeddings of a folder, kept in step with its files.
///
/// Readers take `table`, a snapshot, and never wait for a file. The folder is watched by inotify: a file renamed into
/// place, written in place, moved or deleted is known within milliseconds, and nothing runs in between.
public final class EmbeddingStore: Sendable {
  public let folder: String
  /// Of the model.
  public let vocabulary: EmbeddingVocabulary
  private let current = Mutex(EmbeddingTable())
  /// Held while files are read; `current` only while the table is exchanged.
  private let state: Mutex<FolderState>
  /// Ends the watch; nil while there is none.
  private let endWatch = Mutex<(@Sendable () -> Void)?>(nil)

  /// Reads the folder.
  /// - Parameter cache: a folder for what was read, so that a store of thousands of files starts at once the next time
  ///   and keeps their vectors out of memory; nil to do without.
  /// - Throws: `.fileUnavailable` when it is no folder that can be listed. Bad files are no error: see the
  ///   table's `rejected`.
  public convenience init(
    folder: String, vocabulary: EmbeddingVocabulary, cache: String? = nil
  ) throws(InversionError) {
    try self.init(folder: folder, vocabulary: vocabulary, cache: cache, tick: FileStamp.longestTick)
  }

  /// - Parameter tick: of the file system's times, in nanoseconds; files younger than it are read again next time.
  package init(
    folder: String, vocabulary: EmbeddingVocabulary, cache: String?, tick: Int64
  ) throws(InversionError) {
    self.folder = folder
    self.vocabulary = vocabulary
    self.state = Mutex(FolderState(folder: folder, vocabulary: vocabulary, cache: cache, tick: tick))
    update { $0.rescan(all: false, enter: { _ in }) }
    if let reason = state.withLock({ $0.folderRefusal }) { throw InversionError(.fileUnavailable, reason) }
  }

  /// A store for a model of which only the width is known.
  public convenience init(folder: String, width: Int) throws(InversionError) {
    try self.init(folder: folder, vocabulary: EmbeddingVocabulary(width: width))
  }

  deinit { stopWatching() }

  /// Files that were opened and read so far.
  package var filesRead: Int { state.withLock { $0.totalReads } }

  /// The snapshot of now.
  public var table: EmbeddingTable { current.withLock { $0 } }

  /// Reads all files again.
  @discardableResult public func rescan() -> EmbeddingTable {
    update { $0.rescan(all: true, enter: { _ in }) }.table
  }

  /// Starts to follow the folder's changes, until `stopWatching` or the store's end.
  /// - Parameter onChange: called with each new table, on a thread of the store's own.
  /// - Throws: `.fileUnavailable` when the system has no inotify instance left.
  public func watch(onChange: @escaping @Sendable (EmbeddingTable) -> Void = { _ in }) throws(InversionError) {
    let watch = try FolderWatch(folder: folder)
    let queue = DispatchQueue(label: "embeddings", qos: .userInitiated)
    // Dispatch's objects may be used from any thread; the library does not say so to the compiler.
    nonisolated(unsafe) let source = DispatchSource.makeReadSource(fileDescriptor: watch.descriptor, queue: queue)
    source.setEventHandler { [weak self] in
      guard let self else { return }
      let (table, changed) = self.update { $0.apply(watch.changes(), watch: watch) }
      if changed { onChange(table) }
    }
    source.setCancelHandler { _ = watch }  // closes the descriptor, not before the source has let go of it
    stopWatching()
    endWatch.withLock { $0 = { source.cancel() } }
    // What changed between the first reading and the watch must not be lost.
    _ = update { $0.apply(.everything, watch: watch) }
    source.activate()
  }

  public func stopWatching() {
    endWatch.withLock { end in
      end?()
      end = nil
    }
  }

  /// Puts an embedding file into the folder, atomically, and in force.
  ///
  /// It replaces the embedding that `name` stands for now, wherever that file is; else it becomes `name`.safetensors,
  /// or `.pt`, `.png` and so on by its content.
  /// - Throws: `.invalidArgument` for a name that cannot be a file's; `.badFile` and `.badEmbedding` for content that
  ///   would not come into force; `.fileUnavailable` when the folder cannot be written. Nothing is changed then.
  public func add(_ bytes: [UInt8], as name: String) throws(InversionError) -> LearnedEmbedding {
    let stem = try Self.fileStem(of: name)
    var result: Result<(file: LearnedEmbedding, path: String), InversionError>?
    _ = update { state in
      result = Result { () throws(InversionError) in
        let known = Self.path(of: name, in: table)
        let path = Self.path(for: bytes, known: known, stem: stem)
        let parsed = try EmbeddingFile.read(bytes: bytes, path: path)
        if let reason = vocabulary.refusal(of: parsed) { throw InversionError(.badEmbedding, "'\(path)': \(reason)") }
        // A file whose own name another one has keeps its place and what it is called.
        let isNewName = state.files[path]?.embedding?.name != parsed.name
        if let owner = table.files[parsed.name], owner != path, owner != known, isNewName {
          throw InversionError(
            .badEmbedding,
            "'\(name)': the file's own name '\(parsed.name)' is that of '\(owner)' already; remove that one first")
        }
        do {
          try AtomicFile.write(bytes, path: "\(folder)/\(path)")
        } catch let error as InversionError {
          throw error
        } catch {
          throw InversionError(.fileUnavailable, "'\(folder)/\(path)': \(error)")
        }
        if let known, known != path {
          unlink("\(folder)/\(known)")
          state.refresh(known)
        }
        state.refresh(path)
        return (parsed, path)
      }
    }
    guard let (embedding, path) = try result?.get() else { preconditionFailure("update runs its closure") }
    let changed = table
    let name = changed.files[embedding.name] == path ? embedding.name : EmbeddingFile.stem(of: path)
    return changed.embeddings[name] ?? embedding
  }

  /// Deletes the file of an embedding, or a rejected file, by name or stem.
  /// - Throws: `.notFound`; `.fileUnavailable` when the file cannot be deleted.
  public func remove(_ name: String) throws(InversionError) {
    var failure: InversionError?
    _ = update { state in
      guard let path = Self.path(of: name, in: table) else {
        failure = InversionError(.notFound, "'\(name)': no such embedding; 'inversion embeddings list' shows all")
        return
      }
      guard unlink("\(folder)/\(path)") == 0 || errno == ENOENT else {
        let reason = String(cString: strerror(errno))
        failure = InversionError(.fileUnavailable, "'\(folder)/\(path)': cannot be deleted: \(reason)")
        return
      }
      state.refresh(path)
    }
    if let failure { throw failure }
  }

  /// Changes the state and exchanges the table when that changed anything.
  @discardableResult private func update(_ body: (inout FolderState) -> Void) -> (table: EmbeddingTable, changed: Bool)
  {
    state.withLock { state in
      body(&state)
      state.saveIfLarge()
      return current.withLock { table in
        let next = TableBuilder.table(of: &state, after: table)
        let changed = next.generation != table.generation
        table = next
        return (next, changed)
      }
    }
  }

  /// The file behind a name, also one that is not in force.
  private static func path(of name: String, in table: EmbeddingTable) -> String? {
    if let embedding = table[name] { return table.files[embedding.name] }
    return table.rejected.first { !$0.path.isEmpty && EmbeddingFile.stem(of: $0.path) == name }?.path
  }

  /// Where content of a kind goes: over the file that is known, unless its name says that it is of another kind.
  private static func path(for bytes: [UInt8], known: String?, stem: String) -> String {
    let container = EmbeddingContainer(sniffing: bytes) ?? .safetensors
    if let known, EmbeddingContainer(path: known) == container { return known }
    let folder = known.flatMap { path in path.lastIndex(of: "/").map { String(path[...$0]) } } ?? ""
    return "\(folder)\(stem).\(container.extensions[0])"
  }

  /// The file name for a trigger word: without angle brackets, which shells take for redirection.
  private static func fileStem(of name: String) throws(InversionError) -> String {
    var stem = name
    if name.count > 2 && name.hasPrefix("<") && name.hasSuffix(">") { stem = String(name.dropFirst().dropLast()) }
    guard EmbeddingFile.isUsable(name: stem), !stem.contains("/"), !stem.hasPrefix(".") else {
      throw InversionError(
        .invalidArgument,
        "'\(name)': cannot be the name of a file; use up to \(EmbeddingFile.nameLimit) printable characters, no '/', "
          + "no '.' in front")
    }
    return stem
  }
}

extension FolderState {
  /// Brings the state in step with a change that a watch has seen.
  fileprivate mutating func apply(_ change: FolderWatch.Change, watch: FolderWatch) {
    switch change {
    case .none: break
    case .files(let paths): for path in paths { refresh(path) }
    case .everything:
      var copy = self
      watch.renew { enter in copy.rescan(all: false, enter: enter) }
      self = copy
    }
  }
}
