//! From a component to an artifact and its interface.
