//! How fast histories are; prints, asserts nothing.
