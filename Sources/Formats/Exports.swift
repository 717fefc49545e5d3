// Whoever reads a format works with the files under it: MappedFile, AtomicFile, readFile.
@_exported import Files
