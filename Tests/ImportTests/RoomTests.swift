import Testing

@testable import Models

/// How a picture is made where no budget is set: what is fastest if it fits, else in the room that there is.
@Suite struct RoomTests {
  @Test func aPictureTakesTheRoomThatThereIs() throws {
    let model = try DiffusionModel(path: tinyModel("sd1-tiny"), parts: .decoder)
    func budget(_ room: Int) -> MemoryBudget { model.budget(width: 512, height: 512, batch: 2, room: room) }
    let activations = model.activationBytes(width: 512, height: 512, batch: 2)
    #expect(budget(activations) == .unlimited)
    for room in [activations - 1, activations / 8 + 1] { #expect(budget(room) == MemoryBudget(bytes: room)) }
    // Of what is far too large, admission tells the figures.
    #expect(budget(activations / 9) == .unlimited)
  }

  /// Beside a step's activations the weights that are pages of a package want to stay.
  @Test func mappedWeightsCount() throws {
    let library = Library()
    let model = try DiffusionModel(path: library.add(tinyModel("sd1-tiny"), as: "tiny"), parts: .decoder)
    let activations = model.activationBytes(width: 32, height: 32, batch: 1)
    #expect(model.mappedBytes(of: .unet) > activations)
    #expect(model.budget(width: 32, height: 32, batch: 1, room: activations) == MemoryBudget(bytes: activations))
  }
}
