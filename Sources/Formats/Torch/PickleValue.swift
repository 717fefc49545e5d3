import Tensors

/// What a pickle builds. Containers are numbers into the machine's table, so that a file that nests a million lists, or
/// a list in itself, costs no recursion anywhere.
enum PickleValue {
  case none
  case bool(Bool)
  case int(Int64)
  /// An integer of more than 64 bits, little-endian: only torch's magic number is one.
  case bigInt([UInt8])
  case float(Double)
  case string(String)
  case list(Int)
  case tuple(Int)
  case dictionary(Int)
  case storage(TorchStorage)
  case tensor(TorchTensor)
  case global(PickleGlobal)
  /// An object that is carried along and never looked into.
  case opaque
  /// An instance of ParameterDict; the number is its dictionary, which is empty before its state arrives.
  case parameterDictionary(Int)
}

/// The things that a pickle may name. Nothing is looked up: a name that is not in the table ends the reading.
enum PickleGlobal {
  case storageClass(DType)
  /// Bytes without a type; the tensor brings it.
  case untypedStorageClass
  case dtype(DType)
  case rebuildTensor
  case rebuildTypedTensor
  case rebuildParameter
  case orderedDictionary
  case parameterDictionary
  /// Calls to it give an opaque value.
  case ignored

  init?(module: String, name: String) {
    switch (module, name) {
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_tensor_v3"): self = .rebuildTypedTensor
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("torch.nn.modules.container", "ParameterDict"): self = .parameterDictionary
    case ("torch.storage", "UntypedStorage"): self = .untypedStorageClass
    case ("__builtin__", "set"), ("builtins", "set"),
      ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"), ("numpy", "dtype"),
      ("_codecs", "encode"), ("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint"):
      self = .ignored
    case ("torch", _):
      if let dtype = Self.storageClasses[name] {
        self = .storageClass(dtype)
      } else if let dtype = Self.dtypes[name] {
        self = .dtype(dtype)
      } else {
        return nil
      }
    default: return nil
    }
  }

  private static let storageClasses: [String: DType] = [
    "FloatStorage": .f32, "DoubleStorage": .f64, "HalfStorage": .f16, "BFloat16Storage": .bf16, "LongStorage": .s64,
    "IntStorage": .s32, "ShortStorage": .s16, "CharStorage": .s8, "ByteStorage": .u8, "BoolStorage": .bool,
  ]

  private static let dtypes: [String: DType] = [
    "float32": .f32, "float64": .f64, "float16": .f16, "bfloat16": .bf16, "int64": .s64, "int32": .s32, "int16": .s16,
    "int8": .s8, "uint8": .u8, "bool": .bool, "uint16": .u16, "uint32": .u32, "uint64": .u64, "float8_e4m3fn": .f8e4m3,
    "float8_e5m2": .f8e5m2,
  ]
}

/// A dictionary while it is built: its keys in the order of their first appearance.
struct PickleDictionary {
  enum Key: Hashable {
    /// UTF-8: Swift's strings are equal when they are canonically equivalent.
    case text([UInt8])
    case int(Int64)
  }

  /// Python's OrderedDict carries attributes (`_metadata`), a plain dict has none.
  let isOrdered: Bool
  private(set) var entries: [(key: Key, value: PickleValue)] = []
  private var places: [Key: Int] = [:]

  init(isOrdered: Bool) { self.isOrdered = isOrdered }

  mutating func set(_ key: Key, _ value: PickleValue) {
    if let place = places[key] {
      entries[place].value = value
    } else {
      places[key] = entries.count
      entries.append((key, value))
    }
  }

  subscript(key: String) -> PickleValue? { places[.text(Array(key.utf8))].map { entries[$0].value } }
  subscript(key: Key) -> PickleValue? { places[key].map { entries[$0].value } }
}
