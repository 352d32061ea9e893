//! Several nodes.
