//! Guards under attack and at work.
