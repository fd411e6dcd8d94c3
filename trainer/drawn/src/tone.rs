//! Colors and the palettes of people and things.

use tiny_skia::Color;

/// An opaque color, sRGB, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tone(pub [f32; 3]);

impl Tone {
    /// From 0xRRGGBB.
    pub const fn hex(rgb: u32) -> Tone {
        Tone([
            ((rgb >> 16) & 255) as f32 / 255.0,
            ((rgb >> 8) & 255) as f32 / 255.0,
            (rgb & 255) as f32 / 255.0,
        ])
    }

    /// This far from here to `other`.
    pub fn mix(self, other: Tone, far: f32) -> Tone {
        Tone(std::array::from_fn(|i| self.0[i] + (other.0[i] - self.0[i]) * far))
    }

    /// Nearer to a warm white.
    pub fn light(self, far: f32) -> Tone {
        self.mix(Tone::hex(0xfff6e8), far)
    }

    /// Nearer to a violet black: shadows of a flat color look dirty without a hue of their own.
    pub fn dark(self, far: f32) -> Tone {
        self.mix(Tone::hex(0x1c0f1e), far)
    }

    /// As the eye weighs it, 0 to 1.
    pub fn luma(self) -> f32 {
        let [r, g, b] = self.0;
        0.3 * r + 0.59 * g + 0.11 * b
    }

    /// With an opacity.
    pub fn alpha(self, alpha: f32) -> Color {
        let [r, g, b] = self.0.map(|v| v.clamp(0.0, 1.0));
        Color::from_rgba(r, g, b, alpha.clamp(0.0, 1.0)).unwrap_or(Color::BLACK)
    }

    /// The color at `at` (0 to 1) of a row of colors.
    pub fn along(row: &[Tone], at: f32) -> Tone {
        let last = row.len().saturating_sub(1);
        let at = at.clamp(0.0, 1.0) * last as f32;
        let i = (at as usize).min(last.saturating_sub(1));
        match (row.get(i), row.get(i + 1)) {
            (Some(a), Some(b)) => a.mix(*b, at - i as f32),
            (Some(a), None) => *a,
            (None, _) => Tone::hex(0),
        }
    }
}

impl From<u32> for Tone {
    fn from(rgb: u32) -> Tone {
        Tone::hex(rgb)
    }
}

pub(super) const WHITE: Tone = Tone::hex(0xffffff);
pub(super) const INK: Tone = Tone::hex(0x2a1a20);

/// From fair to dark; people are drawn between them.
pub(super) const SKIN: [Tone; 9] = [
    Tone::hex(0xfde3d3),
    Tone::hex(0xf8d2b6),
    Tone::hex(0xf0bf99),
    Tone::hex(0xe3a97c),
    Tone::hex(0xcd8e60),
    Tone::hex(0xb07247),
    Tone::hex(0x8f5636),
    Tone::hex(0x6f3f28),
    Tone::hex(0x532d1f),
];

pub(super) const HAIR: [(f32, Tone); 11] = [
    (14.0, Tone::hex(0x211b1e)),
    (12.0, Tone::hex(0x3a251c)),
    (11.0, Tone::hex(0x5a3825)),
    (9.0, Tone::hex(0x7d4c2c)),
    (5.0, Tone::hex(0x96411f)),
    (6.0, Tone::hex(0xcc6a2c)),
    (5.0, Tone::hex(0xb48e57)),
    (8.0, Tone::hex(0xe6c277)),
    (4.0, Tone::hex(0xf2e4bf)),
    (0.0, Tone::hex(0x9d9aa0)),
    (0.0, Tone::hex(0xe9e6e2)),
];

pub(super) const DYED: [Tone; 6] = [
    Tone::hex(0xf08bb0),
    Tone::hex(0x39b3ab),
    Tone::hex(0x4a73cf),
    Tone::hex(0x8a5cc4),
    Tone::hex(0xe2453f),
    Tone::hex(0x6cab4c),
];

pub(super) const IRIS: [(f32, Tone); 7] = [
    (9.0, Tone::hex(0x5b3418)),
    (6.0, Tone::hex(0x3a2214)),
    (4.0, Tone::hex(0x8a5e22)),
    (4.0, Tone::hex(0x43983f)),
    (6.0, Tone::hex(0x2f83d6)),
    (3.0, Tone::hex(0x5b93b8)),
    (2.0, Tone::hex(0xb07a1e)),
];

/// Clothes, hats and frames.
pub(super) const CLOTH: [Tone; 14] = [
    Tone::hex(0xe4572e),
    Tone::hex(0xf2a541),
    Tone::hex(0xf3d34a),
    Tone::hex(0x5aa469),
    Tone::hex(0x2a9d8f),
    Tone::hex(0x3d7ea6),
    Tone::hex(0x34457a),
    Tone::hex(0x7a4f9a),
    Tone::hex(0xc8527d),
    Tone::hex(0xb23a48),
    Tone::hex(0x38363f),
    Tone::hex(0xf4efe6),
    Tone::hex(0x8c8f98),
    Tone::hex(0x8a6a4f),
];

/// Backgrounds: what a wall, a sky or a studio's paper has.
pub(super) const WALL: [Tone; 16] = [
    Tone::hex(0x9fdcf7),
    Tone::hex(0x63cfd3),
    Tone::hex(0xa9e6b0),
    Tone::hex(0xffe27a),
    Tone::hex(0xffc08f),
    Tone::hex(0xff9fa6),
    Tone::hex(0xdcbcf7),
    Tone::hex(0x9db0f2),
    Tone::hex(0xf3ebdb),
    Tone::hex(0x4b8fd6),
    Tone::hex(0x2fa898),
    Tone::hex(0x9468c6),
    Tone::hex(0xef6f5b),
    Tone::hex(0x4f5f86),
    Tone::hex(0xf2b134),
    Tone::hex(0x7cc24f),
];
