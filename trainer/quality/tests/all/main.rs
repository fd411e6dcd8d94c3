//! Scores by hand, in closed form, and of sets that are alike or not.

mod edges;
mod frechet;
mod kernel;
mod manifold;
mod neighbors;
mod ssim;
mod swd;
