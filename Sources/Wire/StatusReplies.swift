/// Answer to `GET /v1/status`.
public struct StatusReply: Codable, Sendable, Equatable {
  public let pid: Int32
  public let version: String
  public let uptimeSeconds: Double
  public let model: ModelReply
  public let embeddings: Store
  public let queue: Queue
  /// The job that runs now.
  public let current: CurrentJob?
  /// Resident memory of the process.
  public let residentBytes: Int
  public let room: Room
  /// Who asks.
  public let you: You

  /// Memory that the daemon may still take.
  public struct Room: Codable, Sendable, Equatable {
    public let availableBytes: Int
    /// What sets the bound: `the machine`, or a memory limit.
    public let bound: String

    public init(availableBytes: Int, bound: String) {
      self.availableBytes = availableBytes
      self.bound = bound
    }

    enum CodingKeys: String, CodingKey {
      case availableBytes = "available_bytes"
      case bound
    }
  }

  public struct You: Codable, Sendable, Equatable {
    public let uid: UInt32
    /// `none`, `generate`, `manage` or `admin`
    public let role: String

    public init(uid: UInt32, role: String) {
      self.uid = uid
      self.role = role
    }
  }

  public struct Store: Codable, Sendable, Equatable {
    public let folder: String
    public let generation: Int
    public let inForce: Int
    public let rejected: Int

    public init(folder: String, generation: Int, inForce: Int, rejected: Int) {
      self.folder = folder
      self.generation = generation
      self.inForce = inForce
      self.rejected = rejected
    }

    enum CodingKeys: String, CodingKey {
      case folder, generation
      case inForce = "in_force"
      case rejected
    }
  }

  public struct Queue: Codable, Sendable, Equatable {
    public let waiting: Int
    public let limit: Int

    public init(waiting: Int, limit: Int) {
      self.waiting = waiting
      self.limit = limit
    }
  }

  public struct CurrentJob: Codable, Sendable, Equatable {
    public let job: String
    public let step: Int
    public let steps: Int

    public init(job: String, step: Int, steps: Int) {
      self.job = job
      self.step = step
      self.steps = steps
    }
  }

  public init(
    pid: Int32, version: String, uptimeSeconds: Double, model: ModelReply, embeddings: Store, queue: Queue,
    current: CurrentJob?, residentBytes: Int, room: Room, you: You
  ) {
    self.pid = pid
    self.version = version
    self.uptimeSeconds = uptimeSeconds
    self.model = model
    self.embeddings = embeddings
    self.queue = queue
    self.current = current
    self.residentBytes = residentBytes
    self.room = room
    self.you = you
  }

  enum CodingKeys: String, CodingKey {
    case pid, version
    case uptimeSeconds = "uptime_s"
    case model, embeddings, queue, current
    case residentBytes = "resident_bytes"
    case room, you
  }
}

/// A model that pictures can be made with.
public struct ModelReply: Codable, Sendable, Equatable {
  public let name: String
  /// Whether it is in memory now.
  public var isLoaded: Bool
  /// Pixels on a side; nil for a model that has not been loaded since the start.
  public let nativeSize: Int?
  /// Of its token embeddings: the width that an embedding file must have; nil likewise.
  public let embeddingWidth: Int?

  public init(name: String, isLoaded: Bool = false, nativeSize: Int?, embeddingWidth: Int?) {
    self.name = name
    self.isLoaded = isLoaded
    self.nativeSize = nativeSize
    self.embeddingWidth = embeddingWidth
  }

  enum CodingKeys: String, CodingKey {
    case name
    case isLoaded = "is_loaded"
    case nativeSize = "native_size"
    case embeddingWidth = "embedding_width"
  }
}

/// A model in memory.
public struct LoadedModel: Codable, Sendable, Equatable {
  public let name: String
  public let loadedSeconds: Double
  /// Since the last job with it ended.
  public let idleSeconds: Double
  /// Until it goes, when nobody asks for it; nil when it stays.
  public let expiresSeconds: Double?

  public init(name: String, loadedSeconds: Double, idleSeconds: Double, expiresSeconds: Double?) {
    self.name = name
    self.loadedSeconds = loadedSeconds
    self.idleSeconds = idleSeconds
    self.expiresSeconds = expiresSeconds
  }

  enum CodingKeys: String, CodingKey {
    case name
    case loadedSeconds = "loaded_s"
    case idleSeconds = "idle_s"
    case expiresSeconds = "expires_s"
  }
}

/// Answer to `GET /v1/ps`.
public struct ProcessesReply: Codable, Sendable, Equatable {
  public let models: [LoadedModel]

  public init(models: [LoadedModel]) { self.models = models }
}

/// Answer to `GET /v1/models`: our own list, and OpenAI's of the same models.
public struct ModelsReply: Codable, Sendable, Equatable {
  public let models: [ModelReply]
  /// `list`
  public let object: String
  public let data: [Entry]

  /// A model in OpenAI's words.
  public struct Entry: Codable, Sendable, Equatable {
    public let id: String
    /// `model`
    public let object: String
    /// Seconds since 1970; a model here has no such time.
    public let created: Int
    public let ownedBy: String

    public init(id: String) {
      self.id = id
      object = "model"
      created = 0
      ownedBy = "inversion"
    }

    enum CodingKeys: String, CodingKey {
      case id, object, created
      case ownedBy = "owned_by"
    }
  }

  public init(models: [ModelReply]) {
    self.models = models
    object = "list"
    data = models.map { Entry(id: $0.name) }
  }
}

/// Answer to `POST /v1/reload`.
public struct ReloadReply: Codable, Sendable, Equatable {
  /// Of the embeddings, after it.
  public let generation: Int

  public init(generation: Int) { self.generation = generation }
}

/// Answer to `POST /v1/cancel/{job}`.
public struct CancelReply: Codable, Sendable, Equatable {
  public let cancelled: String

  public init(cancelled: String) { self.cancelled = cancelled }
}

/// Answer to `GET /healthz`.
public struct HealthReply: Codable, Sendable, Equatable {
  /// `ok`, or `draining` while the daemon finishes its last jobs.
  public let status: String

  public init(status: String) { self.status = status }
}
