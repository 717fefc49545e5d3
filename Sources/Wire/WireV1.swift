/// Placeholder: the Codable types of the native API v1 come here.
public enum WireV1 {}
