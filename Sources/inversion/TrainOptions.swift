import ArgumentParser
import Errors
import Models
import Training

/// How long and how far the vectors move.
struct CourseOptions: ParsableArguments {
  @Option(help: "Steps to take at most.")
  var steps = 400

  @Option(help: "dti: Directional Textual Inversion; ti: the original.")
  var method = TrainingMethod.directional

  @Option(
    help: ArgumentHelp(
      "Length of the steps, or '0.005:100, 1e-3:1000, 1e-5'. By default '0.1:100, 0.05' for dti, 0.005 for ti.",
      valueName: "rate"))
  var learningRate: String?

  @Option(help: "How the rate falls: constant, cosine or linear.")
  var schedule = LearningRateSchedule.Shape.constant

  @Option(help: ArgumentHelp("Steps over which the rate rises from 0.", valueName: "steps"))
  var warmUp = 0

  @Option(help: "Pictures in a pass.")
  var batch = 4

  @Option(help: "Passes in a step.")
  var accumulate = 1

  @Option(help: ArgumentHelp("Longest gradient of ti; usually 1.", valueName: "length"))
  var gradientClip: Double?

  @Option(
    help: ArgumentHelp("Decay of the moving average of the vectors that is kept; 0 for none.", valueName: "decay"))
  var average = 0.95

  @Option(help: "Of all that is drawn.")
  var seed: UInt64 = 0

  func apply(to settings: inout TrainingSettings) throws {
    (settings.steps, settings.method, settings.batch, settings.accumulate) = (steps, method, batch, accumulate)
    (settings.gradientClip, settings.averageDecay, settings.seed) = (gradientClip, average == 0 ? nil : average, seed)
    guard learningRate != nil || schedule != .constant || warmUp != 0 else { return }
    var rate = try learningRate.map { try LearningRateSchedule(text: $0) } ?? method.defaultLearningRate
    (rate.shape, rate.warmUp) = (schedule, warmUp)
    settings.learningRate = rate
  }
}

/// What is learned, and from where.
struct VectorOptions: ParsableArguments {
  @Option(help: "Tokens that the word stands for, 1 to 16. By default one for each initializer word.")
  var vectors: Int?

  @Option(
    help: ArgumentHelp(
      "'words': the initializer's vectors; 'encoder': what the text encoder makes of them; 'zeros'; or a file.",
      valueName: "how"))
  var `init` = "words"

  @Option(help: "Length of the vectors with dti and --keep-norm: the mean of the vocabulary's, or the initializer's.")
  var norm = EmbeddingNorm.vocabulary

  @Flag(help: "Keep the length of the vectors with ti too.")
  var keepNorm = false

  @Option(
    help: ArgumentHelp(
      "Learn a word for negative prompts, through guidance of this scale; usually 3.", valueName: "cfg"))
  var negative: Double?

  func apply(to settings: inout TrainingSettings) {
    (settings.vectors, settings.initialization) = (vectors, Initialization(text: `init`))
    (settings.norm, settings.keepsNorm, settings.negativeGuidance) = (norm, keepNorm, negative)
  }
}

/// What the pictures show, and what is said about them.
struct TrainingPictureOptions: ParsableArguments {
  @Option(
    help: "Captions: 'object', 'style', or a file with one a line, '{}' for the word, '[filewords]' for 'cat.txt'.")
  var template = "object"

  @Flag(help: "Shuffle the tags of captions.")
  var shuffleTags = false

  @Option(help: ArgumentHelp("Leave tags out with this probability.", valueName: "p"))
  var tagDropOut = 0.0

  @Flag(help: "Show the pictures mirrored too.")
  var flip = false

  @Option(help: "center: the middle of each picture; random: other parts of it too.")
  var crop = PictureFraming.Crop.center

  @Flag(help: "Keep the pictures' shapes, each in the bucket that cuts least of it.")
  var buckets = false

  @Flag(help: "Learn only what the pictures' transparency, or 'cat.mask.png' beside 'cat.png', shows.")
  var masked = false

  func apply(to settings: inout TrainingSettings) throws {
    settings.templates =
      switch template {
      case "object": .object
      case "style": .style
      default: try PromptTemplates(file: template)
      }
    (settings.captions.shufflesTags, settings.captions.tagDropOut) = (shuffleTags, tagDropOut)
    (settings.framing.flips, settings.framing.crop, settings.framing.usesBuckets) = (flip, crop, buckets)
    settings.loss.isMasked = masked
  }
}

/// What counts how much.
struct LossOptions: ParsableArguments {
  @Option(help: "Timesteps to learn at: 'uniform' or 'A-B'.")
  var timesteps = TimestepWindow.noisy

  @Option(
    name: .customLong("min-snr"), help: ArgumentHelp("Gamma of min-SNR weighting; usually 5.", valueName: "gamma"))
  var minSNR: Double?

  @Option(help: ArgumentHelp("Strength of noise that shifts whole channels; usually 0.05.", valueName: "strength"))
  var offsetNoise = 0.0

  @Option(
    help: ArgumentHelp(
      "Weight of CoRe's context term, for words that are to be edited; usually 0.1.", valueName: "weight"))
  var context = 0.0

  func apply(to settings: inout TrainingSettings) {
    (settings.timesteps, settings.loss.minSNR) = (timesteps, minSNR)
    (settings.loss.offsetNoise, settings.loss.contextWeight) = (offsetNoise, context)
  }
}

/// When the training ends, and how it goes on.
struct StoppingOptions: ParsableArguments {
  @Flag(inversion: .prefixedNo, help: "Stop when the validation loss has settled.")
  var autoStop = true

  @Option(
    help: ArgumentHelp(
      "Pictures to judge by. By default the last of four or more, else those of the training.", valueName: "dir"))
  var validation: String?

  @Option(help: ArgumentHelp("Validate each time after so many steps.", valueName: "steps"))
  var validateEvery = 10

  @Option(help: ArgumentHelp("Write a checkpoint each time after so many steps.", valueName: "steps"))
  var checkpointEvery = 25

  @Option(
    help: ArgumentHelp(
      "Folder of checkpoint and report. By default the output's name with '.training'.", valueName: "dir"))
  var run: String?

  @Flag(help: "Go on where a training was stopped or killed.")
  var resume = false

  @Flag(help: "Begin anew, whatever has been trained before.")
  var restart = false

  func validate() throws {
    guard checkpointEvery > 0 else { throw ValidationError("'--checkpoint-every' needs 1 or more.") }
    guard !(resume && restart) else { throw ValidationError("Give '--resume' or '--restart', not both.") }
  }

  func apply(to settings: inout TrainingSettings) {
    (settings.stopping.isAutomatic, settings.stopping.interval) = (autoStop, validateEvery)
  }
}

/// What is drawn while the training runs.
struct PreviewOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Draw a picture each time after so many steps and at the end; 0 draws none. It costs about ten steps each.",
      valueName: "steps"))
  var previewEvery = 0

  @Option(help: ArgumentHelp("What the pictures show; '{}' for the word.", valueName: "prompt"))
  var previewPrompt = "a photo of a {}"

  func validate() throws {
    guard previewEvery >= 0 else { throw ValidationError("'--preview-every' needs 0 or more.") }
    guard previewPrompt.contains("{}") else { throw ValidationError("'--preview-prompt' needs a '{}' for the word.") }
  }
}

/// Words of the file's metadata.
struct ProvenanceOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Under what the word may be used: 'CC-BY-4.0'.", valueName: "text"))
  var licence: String?

  @Option(help: ArgumentHelp("Who gave the pictures, and for what.", valueName: "text"))
  var consent: String?
}

extension TrainingMethod: ExpressibleByArgument {}
extension EmbeddingNorm: ExpressibleByArgument {}
extension LayerPrecision: ExpressibleByArgument {}
extension LearningRateSchedule.Shape: ExpressibleByArgument {}
extension PictureFraming.Crop: ExpressibleByArgument {}

extension TimestepWindow: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
