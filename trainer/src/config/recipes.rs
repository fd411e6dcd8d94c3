//! The recipes that come with the program.

/// The recipes that come with the program: name, file.
pub const RECIPES: [(&str, &str); 17] = [
    ("drawn", include_str!("../../recipes/drawn.toml")),
    ("dcgan-tutorial", include_str!("../../recipes/dcgan-tutorial.toml")),
    ("faces", include_str!("../../recipes/faces.toml")),
    ("cpu", include_str!("../../recipes/cpu.toml")),
    ("small-data", include_str!("../../recipes/small-data.toml")),
    ("tiny", include_str!("../../recipes/tiny.toml")),
    ("gan-mnist", include_str!("../../recipes/gan-mnist.toml")),
    ("cgan-mnist", include_str!("../../recipes/cgan-mnist.toml")),
    ("cgan-mnist-conv", include_str!("../../recipes/cgan-mnist-conv.toml")),
    ("autoencoder", include_str!("../../recipes/autoencoder.toml")),
    ("denoising-autoencoder", include_str!("../../recipes/denoising-autoencoder.toml")),
    ("vae", include_str!("../../recipes/vae.toml")),
    ("vae-conv", include_str!("../../recipes/vae-conv.toml")),
    ("duplicates", include_str!("../../recipes/duplicates.toml")),
    ("pix2pix", include_str!("../../recipes/pix2pix.toml")),
    ("cyclegan", include_str!("../../recipes/cyclegan.toml")),
    ("colorize", include_str!("../../recipes/colorize.toml")),
];
