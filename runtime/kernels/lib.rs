//! Nothing: see `benches/layers.rs`.
