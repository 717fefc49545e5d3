import Images
import Models
import Schedules
import Testing

@testable import Training

@Suite struct PictureFramingTests {
  private func view(width: Int, height: Int) -> PictureView {
    let pixels: [UInt8] = (0..<width * height).flatMap { [UInt8($0 % width), UInt8($0 / width), 0] }
    let picture = Picture(width: width, height: height, pixels: pixels)
    return PictureView(picture: picture, mask: picture)
  }

  @Test func bucketsHaveTheSquaresAreaAndWholeMultiples() {
    let buckets = AspectBucket.all(side: 512, multiple: 64)
    #expect(buckets.first == AspectBucket(width: 512, height: 512))
    #expect(buckets.allSatisfy { $0.width % 64 == 0 && $0.height % 64 == 0 && $0.width * $0.height <= 512 * 512 })
    #expect(buckets.contains(AspectBucket(width: 640, height: 384)) && buckets.contains(.init(width: 384, height: 640)))
  }

  @Test(arguments: [
    (100, 100, 512, 512), (1600, 900, 640, 384), (900, 1600, 384, 640), (4000, 3000, 576, 448), (5000, 100, 640, 384),
  ])
  func aPictureGoesToTheNearestBucket(width: Int, height: Int, bucketWidth: Int, bucketHeight: Int) {
    let bucket = AspectBucket.nearest(toWidth: width, height: height, side: 512, multiple: 64)
    #expect(bucket == AspectBucket(width: bucketWidth, height: bucketHeight))
  }

  @Test func viewsAreTheMiddleThenPartsThenMirrored() {
    var framing = PictureFraming()
    let whole = view(width: 40, height: 20)
    let middle = framing.views(whole, side: 20, multiple: 4, number: 0, seed: 1)
    #expect(middle.count == 1 && middle[0].picture.pixels.prefix(3) == [10, 0, 0])
    framing.flips = true
    let both = framing.views(whole, side: 20, multiple: 4, number: 0, seed: 1)
    #expect(both.count == 2 && both[0] == middle[0] && both[1].picture.pixels.prefix(3) == [29, 0, 0])
    #expect(both[1].mask?.pixels == both[1].picture.pixels, "masks go with their pictures")
    framing.crop = .random
    let many = framing.views(whole, side: 20, multiple: 4, number: 0, seed: 1)
    #expect(many.count == 16 && many[0] == middle[0] && many[1] != many[0])
    #expect(many == framing.views(whole, side: 20, multiple: 4, number: 0, seed: 1))
    #expect(many != framing.views(whole, side: 20, multiple: 4, number: 0, seed: 2))
    #expect(many != framing.views(whole, side: 20, multiple: 4, number: 1, seed: 1))
    framing.usesBuckets = true
    let wide = framing.views(whole, side: 20, multiple: 4, number: 0, seed: 1)
    #expect(wide.allSatisfy { $0.picture.width == 24 && $0.picture.height == 16 || $0.picture.width == 28 })
  }

  @Test func batchesAreOfOneBucketAndSeeAllPictures() throws {
    let model = try GoldenTraining.model("sd1-tiny")
    let word = try LearnedWord("<spot>", vectors: 1, model: model)
    let captions = [Caption("a {}", words: "", model: model)]
    let items = [(16, 16), (32, 16), (16, 16), (32, 16), (16, 16)].map { width, height in
      let picture = TestPicture.picture(side: 32).resized(width: width, height: height)
      return BatchSource.Item(
        views: [PictureLatents(picture, model: model, memory: WorkingMemory())], captions: captions)
    }
    var source = BatchSource(items, plan: .init(timesteps: 0..<1000, word: word.ids), seed: 0, model: model)
    let shapes = (0..<5).map { _ in source.next(2).shape }
    #expect(Set(shapes.map { $0[1] }).count == 2 && shapes.filter { $0[0] == $0[1] }.count == 3)
    #expect(source.state.turns == [6, 4])
  }
}
