//! Who is drawn: everything that a seed decides about a face, before the first line.

use super::pen::At;
use super::tone::{CLOTH, DYED, HAIR, INK, IRIS, SKIN, Tone};
use super::traits::{
    Beard, Brows, Build, Earring, Eyes, Glasses, Hat, Lids, Mouth, MouthKind, Nose, NoseKind,
    Style, Wear,
};
use crate::rng::Rng;

/// A face's traits. Lengths are in the pen's units; what is left and right is the viewer's.
pub(super) struct Person {
    pub skin: Tone,
    pub shade: Tone,
    pub hair: Tone,
    /// Color of brows and beard: dyed hair need not match them.
    pub brow: Tone,
    pub iris: Tone,
    pub lips: Tone,
    /// -1: light from the left; 1: from the right.
    pub light: f32,
    /// How strong shadows are, 0 to 1.
    pub contrast: f32,
    /// -1: turned left, 1: turned right.
    pub yaw: f32,
    /// Degrees.
    pub tilt: f32,
    /// Half widths of the head at temples, cheeks, jaw and chin, and where the chin ends.
    pub build: Build,
    /// 0: young, 1: old.
    pub age: f32,
    /// 0: soft features, 1: rugged ones.
    pub rugged: f32,
    pub eyes: Eyes,
    pub brows: Brows,
    pub nose: Nose,
    pub mouth: Mouth,
    pub style: Style,
    pub beard: Beard,
    pub hat: Hat,
    pub glasses: Glasses,
    pub earring: Earring,
    pub freckles: bool,
    pub blush: f32,
    pub wear: Wear,
    pub cloth: Tone,
    pub trim: Tone,
    pub rim: Tone,
}

impl Person {
    /// The person of a seed. Traits are drawn in a fixed order; changing the order changes every
    /// person.
    #[allow(clippy::too_many_lines, reason = "a person is a list of traits")]
    pub fn new(rng: &mut Rng) -> Person {
        // Where somebody lies between soft and rugged decides the odds of much else, never one
        // thing alone.
        let rugged = rng.unit();
        let age = rng.unit();
        let old = ((age - 0.72) / 0.28).max(0.0);
        let depth = rng.unit();
        let skin = Tone::along(&SKIN, depth)
            .mix(Tone::hex(0xe88a6a), rng.range(0.0, 0.10))
            .mix(Tone::hex(0xd9b36c), rng.range(0.0, 0.10));
        // Shadows on skin are redder, not grayer.
        let shade = skin.mix(Tone::hex(0x8a2f35).dark(depth * 0.45), 0.36);
        let (hair, brow) = hair(rng, depth, old);
        let iris = match depth > 0.55 && rng.chance(0.8) {
            true => rng.pick(&[Tone::hex(0x3a2214), Tone::hex(0x4a2a17), Tone::hex(0x5b3418)]),
            false => rng.odds(&IRIS),
        };
        let bold = rugged < 0.5 && rng.chance(0.35);
        let lips = match bold {
            true => rng.pick(&[0xc0273d, 0xd8436b, 0xa02852, 0xe0574a, 0x8c2b4f]).into(),
            false => skin.mix(Tone::hex(0xc22f4a), rng.range(0.42, 0.6)),
        };
        let style = style(rng, rugged, old);
        let hat = hat(rng, style, rugged);
        let beard = beard(rng, rugged, age);
        let kind = rng.odds(&[
            (30.0, MouthKind::Closed),
            (12.0, MouthKind::Thin),
            (24.0, MouthKind::Teeth),
            (18.0, MouthKind::Laugh),
            (6.0, MouthKind::Oh),
            (10.0, MouthKind::Smirk),
        ]);
        let happy = matches!(kind, MouthKind::Teeth | MouthKind::Laugh);
        let smile = match happy {
            true => rng.range(0.6, 1.0),
            false => rng.range(-0.25, 0.95),
        };
        let yaw = rng.range(-1.0, 1.0);
        Person {
            skin,
            shade,
            hair,
            brow,
            iris,
            lips,
            light: if rng.chance(0.5) { 1.0 } else { -1.0 },
            contrast: rng.range(0.25, 0.9),
            yaw: yaw * yaw.abs().sqrt(),
            tilt: rng.range(-1.0, 1.0) * rng.range(0.0, 9.0),
            build: Build {
                temple: rng.range(19.0, 21.0) + rugged * 0.5,
                cheek: rng.range(19.6, 22.4),
                jaw: rng.range(15.0, 17.8) + rugged * 2.6,
                chin: rng.range(6.0, 8.5) + rugged * 3.0,
                end: rng.range(25.5, 28.5) + rugged * 0.8,
            },
            age,
            rugged,
            eyes: Eyes {
                apart: rng.range(9.2, 10.6),
                width: rng.range(4.9, 5.8) - old * 0.3,
                height: rng.range(3.5, 4.7) - rugged * 0.5,
                slant: rng.range(-0.5, 1.3),
                gaze: (rng.range(-1.0, 1.0) * rng.unit(), rng.range(-0.6, 0.6)),
                lids: match happy && rng.chance(0.14) {
                    true => Lids::Smiling,
                    false => {
                        rng.odds(&[(88.0, Lids::Open), (8.0, Lids::Sleepy), (4.0, Lids::Wink)])
                    }
                },
                lashes: rng.chance(0.95 - 1.3 * rugged),
                paint: match rugged < 0.5 && rng.chance(0.3) {
                    true => Some(rng.pick(&CLOTH)),
                    false => None,
                },
            },
            brows: Brows {
                thick: rng.range(0.9, 1.5) + rugged * 0.9,
                arch: rng.range(0.6, 2.4),
                angle: rng.range(-1.4, 0.9),
                raise: rng.range(-0.5, 1.6),
            },
            nose: Nose {
                long: rng.range(7.2, 10.4),
                wide: rng.range(2.7, 4.0) + rugged * 0.5,
                kind: rng.odds(&[
                    (4.0, NoseKind::Button),
                    (4.0, NoseKind::Line),
                    (3.0, NoseKind::Broad),
                ]),
            },
            mouth: Mouth {
                wide: rng.range(5.6, 7.4) + if happy { 1.3 } else { 0.0 },
                full: rng.range(0.75, 1.25) * if bold { 1.2 } else { 1.0 },
                smile,
                kind,
            },
            style,
            beard,
            hat,
            glasses: rng.odds(&[
                (68.0, Glasses::None),
                (9.0, Glasses::Round),
                (9.0, Glasses::Square),
                (4.0, Glasses::Cat),
                (4.0, Glasses::Half),
                (6.0, Glasses::Sun),
            ]),
            earring: match rng.chance(0.55 - 0.45 * rugged) {
                true => rng.pick(&[Earring::Stud, Earring::Hoop, Earring::Drop]),
                false => Earring::None,
            },
            freckles: depth < 0.5 && rng.chance(0.2),
            blush: rng.range(0.0, 0.75),
            wear: rng.pick(&[
                Wear::Tee,
                Wear::Vee,
                Wear::Stripes,
                Wear::Hoodie,
                Wear::Shirt,
                Wear::Suit,
                Wear::Roll,
                if rugged < 0.5 { Wear::Straps } else { Wear::Shirt },
                Wear::Overalls,
            ]),
            cloth: rng.pick(&CLOTH),
            trim: rng.pick(&CLOTH),
            rim: rng.pick(&[
                INK,
                Tone::hex(0x6b3f24),
                Tone::hex(0xb8862f),
                Tone::hex(0xb23a48),
                Tone::hex(0x34457a),
                Tone::hex(0x8c8f98),
            ]),
        }
    }

    /// Whether a hat covers the crown.
    pub fn covered(&self) -> bool {
        matches!(self.hat, Hat::Beanie | Hat::Cap | Hat::Brim | Hat::Bowler)
    }

    /// Where a point of a head that looks straight ahead comes to lie when it turns; `depth` is how
    /// far it stands out: 0 at the ears, 1 at eyes and mouth, 1.6 at the tip of the nose.
    pub fn turn(&self, x: f32, y: f32, depth: f32) -> At {
        let far = (x * self.yaw > 0.0) as u8 as f32;
        (x * (1.0 - 0.10 * far * self.yaw.abs()) + self.yaw * 3.2 * depth, y)
    }

    /// [`Person::turn`] of many points.
    pub fn turned(&self, points: &[At], depth: f32) -> Vec<At> {
        points.iter().map(|&(x, y)| self.turn(x, y, depth)).collect()
    }
}

/// The color of the hair, and of brows and beard.
fn hair(rng: &mut Rng, depth: f32, old: f32) -> (Tone, Tone) {
    let mut odds = HAIR;
    // Fair hair is rarer on dark skin; gray comes with age.
    for (weight, tone) in &mut odds[2..9] {
        *weight *= 1.0 - depth * 0.95 * tone.luma().sqrt().min(1.0);
    }
    for (weight, _) in &mut odds[9..] {
        *weight += old * 70.0;
    }
    let natural = rng.odds(&odds).mix(Tone::hex(0x6b4a35), rng.range(0.0, 0.12));
    let dyed = rng.pick(&DYED);
    match (rng.chance(0.07), rng.chance(0.4)) {
        (true, true) => (dyed, dyed),
        (true, false) => (dyed, natural),
        (false, _) => (natural, natural),
    }
}

fn style(rng: &mut Rng, rugged: f32, old: f32) -> Style {
    use Style::*;
    let (r, s) = (rugged, 1.0 - rugged);
    rng.odds(&[
        (4.0 * r * r * (1.0 + 2.0 * old), Bald),
        (6.0 * r * r * old, Receding),
        (5.0 * r, Buzz),
        (8.0 * r, Crop),
        (8.0 * r, SidePart),
        (6.0 * r, Quiff),
        (6.0 * r + 1.0, Messy),
        (3.0 * r, Spiky),
        (1.0, Mohawk),
        (5.0, Curly),
        (4.0, Afro),
        (4.0 * s + 1.0, Pixie),
        (6.0 * s, Bob),
        (6.0 * s, Fringe),
        (7.0 * s + 0.6, Long),
        (7.0 * s + 0.6, Wavy),
        (5.0 * s, LongCurly),
        (5.0 * s, Ponytail),
        (4.0 * s + 0.8, Bun),
        (2.5 * s, Buns),
        (3.5 * s, Braids),
        (2.5, Locs),
        (3.0 * s, Scarf),
    ])
}

fn hat(rng: &mut Rng, style: Style, rugged: f32) -> Hat {
    let cover = rng.odds(&[
        (4.0, Hat::Beanie),
        (4.0, Hat::Cap),
        (3.0, Hat::Brim),
        (2.0 + rugged, Hat::Bowler),
    ]);
    let soft = rng.odds(&[
        (3.0, Hat::Band),
        (3.0 * (1.0 - rugged), Hat::Flower),
        (3.0 * (1.0 - rugged), Hat::Bow),
        (2.0, Hat::Phones),
        (0.8, Hat::Party),
        (0.7, Hat::Crown),
    ]);
    let (wears, which) = (rng.chance(0.26), rng.chance(0.6));
    match (wears, which) {
        (false, _) => Hat::None,
        _ if style == Style::Scarf => Hat::None,
        (true, true) if style.fits_under_hat() => cover,
        _ if matches!(style, Style::Mohawk | Style::Bun | Style::Buns | Style::Spiky) => Hat::None,
        (true, _) if style == Style::Afro => Hat::Band,
        (true, _) => soft,
    }
}

fn beard(rng: &mut Rng, rugged: f32, age: f32) -> Beard {
    let kind = rng.odds(&[
        (5.0, Beard::Stubble),
        (2.5, Beard::Moustache),
        (1.5, Beard::Handlebar),
        (3.0, Beard::Goatee),
        (5.0, Beard::Full),
        (1.5, Beard::Long),
    ]);
    match rng.chance((rugged - 0.5) * 1.5) && age > 0.15 {
        true => kind,
        false => Beard::None,
    }
}
