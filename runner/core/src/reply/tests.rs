//! Replies against what the real tool printed.
