import Images
import Glibc
func now() -> Double { var t = timespec(); clock_gettime(CLOCK_MONOTONIC,&t); return Double(t.tv_sec)*1e3+Double(t.tv_nsec)/1e6 }
func time<T>(_ s: String, _ f: () throws -> T) rethrows -> T { let t = now(); let r = try f(); print(s, now()-t, "ms"); return r }
let big = try time("decode 12MP jpeg") { try DecodedPicture(path: "/tmp/t1/big.jpg") }.picture
let s = time("crop") { big.centerSquareCropped }
let r = time("resize 3000->512 lanczos") { s.resized(to: 512) }
for f in PictureFormat.allCases { let b = try time("encode 512 \(f)") { try r.encoded(as: f, parameters: "x") }; print(b.count); _ = try time("decode") { try DecodedPicture(b, source: "x") } }
let b = try time("encode 512 webp q90") { try r.encoded(as: .webp, quality: 90) }; print(b.count)
