//! What is drawn is what it should be, the same for a seed, and each one different.

mod digits;
mod faces;
