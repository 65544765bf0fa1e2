//! Carries calls out: from a permitted call to a typed reply, over tools and the Kubernetes API. Judges nothing.
