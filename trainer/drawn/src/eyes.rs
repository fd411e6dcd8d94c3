//! Eyes, lids, lashes and brows.

use super::pen::{At, Ink, Pen, Shape};
use super::person::Person;
use super::tone::{INK, Tone, WHITE};
use super::traits::Lids;

/// One eye in its own coordinates: `side` mirrors it, so that the outer corner is at positive x.
struct Eye {
    at: At,
    side: f32,
    rx: f32,
    up: f32,
    down: f32,
    slant: f32,
}

impl Eye {
    fn new(p: &Person, side: f32) -> Eye {
        let far = (side * p.yaw).max(0.0);
        let open = match p.eyes.lids {
            Lids::Sleepy => 0.62,
            Lids::Open | Lids::Smiling | Lids::Wink => 1.0,
        };
        Eye {
            at: p.turn(side * p.eyes.apart, 0.0, 1.0),
            side,
            rx: p.eyes.width * (1.0 - 0.12 * far),
            up: p.eyes.height * open,
            // A smile pushes the lower lid up.
            down: p.eyes.height * (0.86 - 0.22 * p.mouth.smile.max(0.0)),
            slant: p.eyes.slant,
        }
    }

    fn on(&self, x: f32, y: f32) -> At {
        (self.at.0 + self.side * x, self.at.1 + y)
    }

    fn inner(&self) -> At {
        self.on(-self.rx, 0.6)
    }

    fn outer(&self) -> At {
        self.on(self.rx, -self.slant)
    }

    fn upper(&self, shape: Shape, more: f32) -> Shape {
        let (a, b) = (
            self.on(-0.55 * self.rx, -1.30 * self.up - more),
            self.on(0.60 * self.rx, -1.36 * self.up - more),
        );
        let (x, y) = self.outer();
        shape.cubic(a, b, x, y)
    }

    fn opening(&self) -> Shape {
        let (x, y) = self.inner();
        let (a, b) =
            (self.on(0.70 * self.rx, 1.25 * self.down), self.on(-0.50 * self.rx, 1.25 * self.down));
        self.upper(Shape::at(x, y), 0.0).cubic(a, b, x, y).close()
    }
}

/// Both eyes.
pub(super) fn eyes(p: &Person, pen: &mut Pen) {
    for side in [-1.0, 1.0] {
        let eye = Eye::new(p, side);
        // The eye nearer to the light winks.
        let closed = p.eyes.lids == Lids::Smiling || (p.eyes.lids == Lids::Wink && side == p.light);
        match closed {
            true => shut(p, pen, &eye),
            false => open(p, pen, &eye),
        }
    }
}

fn open(p: &Person, pen: &mut Pen, eye: &Eye) {
    let ink = lash(p);
    let (x, y) = eye.at;
    if let Some(paint) = p.eyes.paint {
        let (ix, iy) = eye.inner();
        let (a, b) = (eye.on(0.7 * eye.rx, -eye.up - 4.2), eye.on(-0.6 * eye.rx, -eye.up - 3.4));
        let (ox, oy) = eye.on(eye.rx + 0.8, -eye.slant - 0.8);
        pen.fill(Shape::at(ix, iy).cubic(b, a, ox, oy).close(), p.skin.mix(paint, 0.7).alpha(0.55));
    }
    pen.fill(eye.opening(), Tone::hex(0xfdfaf5));
    pen.clip(eye.opening());
    let (gx, gy) = (x + p.eyes.gaze.0 * 1.5 + p.yaw * 0.5, y - 0.15 + p.eyes.gaze.1);
    let r = 3.25;
    pen.fill(
        Shape::oval(gx, gy, r, r),
        Ink::Radial(
            (gx, gy + 1.0),
            r * 1.25,
            p.iris.light(0.18).alpha(1.0),
            p.iris.dark(0.35).alpha(1.0),
        ),
    );
    pen.line(Shape::oval(gx, gy, r, r), 0.55, p.iris.dark(0.65).alpha(0.8));
    pen.fill(Shape::oval(gx, gy, 1.6, 1.6), Tone::hex(0x120c12));
    // The upper lid's shadow.
    let (sx, sy) = eye.on(-eye.rx, -eye.up - 1.0);
    let top = Shape::at(sx, sy);
    let (ex, ey) = eye.on(eye.rx, -eye.up - 1.0);
    let (mx, my) = eye.inner();
    let (cx, cy) = eye.on(0.0, -1.36 * eye.up + 2.2);
    let (ox, oy) = eye.outer();
    pen.fill(top.line(ex, ey).line(ox, oy).quad((cx, cy), mx, my).close(), INK.alpha(0.18));
    let glint = p.light * 1.05;
    pen.fill(Shape::oval(gx + glint, gy - 1.15, 0.95, 0.95), WHITE);
    pen.fill(Shape::oval(gx - glint * 0.9, gy + 1.1, 0.5, 0.5), WHITE.alpha(0.65));
    pen.unclip();

    let (ix, iy) = eye.inner();
    let heavy = if p.eyes.lashes { 1.45 } else { 1.0 };
    pen.line(eye.upper(Shape::at(ix, iy), 0.0), heavy, ink);
    let (a, b) = (eye.on(-0.4 * eye.rx, 1.28 * eye.down), eye.on(0.4 * eye.rx, 1.28 * eye.down));
    let low = Shape::at(ix, iy).cubic(a, b, ox, oy);
    pen.line(low, 0.5, p.shade.dark(0.2).alpha(0.7));
    // The fold above, deeper where lids are heavy.
    let (fx, fy) = eye.on(-eye.rx * 0.8, -eye.up * 0.72 - 0.9);
    let (c, d) =
        (eye.on(-0.35 * eye.rx, -1.22 * eye.up - 1.9), eye.on(0.6 * eye.rx, -1.25 * eye.up - 2.0));
    let (tx, ty) = eye.on(eye.rx * 1.02, -eye.slant - 1.4);
    pen.line(Shape::at(fx, fy).cubic(c, d, tx, ty), 0.6, p.shade.dark(0.15).alpha(0.65));
    if p.eyes.lashes {
        for (x, y, dx, dy) in
            [(0.98, 0.0, 2.3, -1.5), (0.72, -0.62, 1.9, -2.0), (0.36, -0.92, 1.1, -2.1)]
        {
            let (ax, ay) = eye.on(eye.rx * x, eye.up * y - eye.slant * x);
            let (bx, by) = eye.on(eye.rx * x + dx, eye.up * y - eye.slant * x + dy);
            pen.line(Shape::at(ax, ay).line(bx, by), 0.75, ink);
        }
    }
}

/// Closed by a smile: an arch.
fn shut(p: &Person, pen: &mut Pen, eye: &Eye) {
    let (ax, ay) = eye.on(-eye.rx, 1.2);
    let (bx, by) = eye.on(eye.rx, 1.0 - eye.slant * 0.6);
    let c = eye.on(0.0, -4.6);
    pen.line(Shape::at(ax, ay).quad(c, bx, by), 1.5, lash(p));
    if p.eyes.lashes {
        for (x, y, dx, dy) in [(0.98, 0.6, 2.0, -0.6), (0.66, -0.9, 1.9, -1.4)] {
            let (ax, ay) = eye.on(eye.rx * x, y);
            let (bx, by) = eye.on(eye.rx * x + dx, y + dy);
            pen.line(Shape::at(ax, ay).line(bx, by), 0.75, lash(p));
        }
    }
}

fn lash(p: &Person) -> Tone {
    p.hair.dark(0.8).mix(INK, 0.5)
}

/// Both brows.
pub(super) fn brows(p: &Person, pen: &mut Pen) {
    let b = &p.brows;
    // Brows are darker than fair hair and lighter than black hair; never lost in the skin.
    let tone = match p.brow.luma() > 0.6 {
        true => p.brow.mix(p.shade.dark(0.35), 0.55),
        false => p.brow.dark(0.15),
    };
    for side in [-1.0, 1.0] {
        let far = 1.0 - 0.12 * (side * p.yaw).max(0.0);
        let (cx, cy) = p.turn(side * p.eyes.apart, -p.eyes.height - 4.6 - b.raise, 1.0);
        let on = |x: f32, y: f32| (cx + side * x * far, cy + y);
        let (t, lift) = (b.thick * 0.62, b.angle);
        let (i0, i1) = (on(-5.2, lift * 0.45 - t), on(-5.4, lift * 0.45 + t));
        let (m0, m1) =
            (on(1.2, -b.arch - lift * 0.4 - t * 1.1), on(1.0, -b.arch - lift * 0.4 + t * 0.7));
        let end = on(6.6, 0.5 - lift * 0.8);
        let shape = Shape::at(i1.0, i1.1).line(i0.0, i0.1).through(&[m0, end]).through(&[m1, i1]);
        pen.fill(shape.close(), tone.alpha(0.94));
    }
}
