//! Hats, and what else is worn on the head.

use super::felt::felt;
use super::ornament;
use super::pen::{At, Ink, Pen, Shape};
use super::person::Person;
use super::traits::Hat;

/// Behind the head: the far side of a brim.
pub(super) fn back(p: &Person, pen: &mut Pen) {
    match p.hat {
        Hat::Brim => felt(p, pen, Shape::oval(p.yaw * 1.5, -15.5, 36.0, 9.5), 0.25),
        Hat::Phones => {
            let band = Shape::at(-p.build.cheek - 2.5, 0.0).cubic(
                (-27.0, -43.0),
                (27.0, -43.0),
                p.build.cheek + 2.5,
                0.0,
            );
            pen.line(band, 3.2, p.trim.dark(0.25));
        }
        Hat::None
        | Hat::Beanie
        | Hat::Cap
        | Hat::Bowler
        | Hat::Band
        | Hat::Flower
        | Hat::Bow
        | Hat::Party
        | Hat::Crown => {}
    }
}

/// On top.
pub(super) fn front(p: &Person, pen: &mut Pen) {
    let t = p.build.temple + 3.6;
    match p.hat {
        Hat::None => {}
        Hat::Beanie => beanie(p, pen, t),
        Hat::Cap => cap(p, pen, t),
        Hat::Brim => brim(p, pen, t),
        Hat::Bowler => bowler(p, pen, t),
        Hat::Band => ornament::band(p, pen, t),
        Hat::Flower => ornament::flower(p, pen),
        Hat::Bow => ornament::bow(p, pen),
        Hat::Phones => ornament::phones(p, pen),
        Hat::Party => ornament::party(p, pen),
        Hat::Crown => ornament::crown(p, pen),
    }
}

/// The shadow of a hat's edge on forehead and hair.
fn shade(p: &Person, pen: &mut Pen, edge: Shape) {
    pen.clip(super::head::outline(p, 3.0));
    pen.line(edge, 5.0, p.shade.dark(0.35).alpha(0.32));
    pen.unclip();
}

fn turned(p: &Person, points: &[At]) -> Vec<At> {
    p.turned(points, 0.35)
}

fn beanie(p: &Person, pen: &mut Pen, t: f32) {
    let top = turned(
        p,
        &[
            (-t, -14.0),
            (-t + 1.0, -25.0),
            (-13.0, -35.5),
            (0.0, -39.0),
            (13.0, -35.5),
            (t - 1.0, -25.0),
            (t, -14.0),
            (0.0, -19.0),
        ],
    );
    let fold = turned(
        p,
        &[
            (-t - 1.0, -11.0),
            (-t - 1.0, -19.6),
            (0.0, -24.4),
            (t + 1.0, -19.6),
            (t + 1.0, -11.0),
            (0.0, -15.4),
        ],
    );
    let fold = Shape::at(fold[0].0, fold[0].1)
        .line(fold[1].0, fold[1].1)
        .through(&fold[2..4])
        .line(fold[4].0, fold[4].1)
        .through(&[fold[5], fold[0]])
        .close();
    shade(p, pen, fold.clone());
    if p.age < 0.6 {
        let (x, y) = p.turn(0.0, -41.0, 0.1);
        let mut pompom = Shape::oval(x, y, 4.6, 4.4);
        for (dx, dy) in [(-3.4, -1.6), (3.4, -1.6), (-2.6, 2.4), (2.6, 2.4), (0.0, -3.6)] {
            pompom = pompom.and_oval(x + dx, y + dy, 2.6, 2.6);
        }
        pen.fill(pompom, p.cloth.light(0.45));
    }
    let shape = Shape::blob(&top);
    felt(p, pen, shape.clone(), 0.0);
    pen.clip(shape);
    for x in [-15.0, -9.0, -3.0, 3.0, 9.0, 15.0] {
        let (a, b) = (p.turn(x * 1.15, -18.0, 0.35), p.turn(x * 0.35, -40.0, 0.2));
        pen.line(
            Shape::at(a.0, a.1).quad((a.0, -32.0), b.0, b.1),
            0.9,
            p.trim.dark(0.45).alpha(0.45),
        );
    }
    pen.unclip();
    let (lit, dark) = (p.trim.light(0.34), p.trim.dark(0.14));
    pen.fill(
        fold.clone(),
        Ink::Linear(
            (p.light * 20.0, -20.0),
            lit.alpha(1.0),
            (-p.light * 22.0, -12.0),
            dark.alpha(1.0),
        ),
    );
    pen.clip(fold);
    for i in -5..=5 {
        let (x, y) = p.turn(i as f32 * 4.2, -10.0, 0.35);
        pen.line(Shape::at(x, y).line(x, y - 14.0), 0.8, p.trim.dark(0.4).alpha(0.4));
    }
    pen.unclip();
}

fn cap(p: &Person, pen: &mut Pen, t: f32) {
    let t = t - 0.6;
    let top = turned(
        p,
        &[
            (-t, -12.5),
            (-t + 0.6, -24.0),
            (-12.0, -34.0),
            (0.0, -36.6),
            (12.0, -34.0),
            (t - 0.6, -24.0),
            (t, -12.5),
        ],
    );
    let shape = Shape::at(top[0].0, top[0].1)
        .through(&top[1..])
        .quad(p.turn(0.0, -20.0, 0.7), top[0].0, top[0].1)
        .close();
    felt(p, pen, shape.clone(), 0.0);
    pen.clip(shape);
    for x in [-9.0, 9.0] {
        let (a, b) = (p.turn(x * 1.4, -14.0, 0.5), p.turn(0.0, -37.0, 0.2));
        pen.line(
            Shape::at(a.0, a.1).quad((a.0 * 1.05, -28.0), b.0, b.1),
            0.7,
            p.trim.dark(0.45).alpha(0.5),
        );
    }
    let (x, y) = p.turn(0.0, -25.5, 0.6);
    pen.fill(Shape::oval(x, y, 5.4, 4.8), p.cloth.light(0.2));
    pen.fill(Shape::oval(x, y, 3.0, 2.6), p.trim.dark(0.2));
    pen.unclip();
    let (x, y) = p.turn(0.0, -37.0, 0.2);
    pen.fill(Shape::oval(x, y, 1.9, 1.2), p.trim.dark(0.3));
    // The peak comes forward, so it follows the head's turn most.
    let peak = p.turned(
        &[
            (-18.5, -15.4),
            (-17.5, -11.0),
            (-9.0, -11.4),
            (0.0, -11.6),
            (9.0, -11.4),
            (17.5, -11.0),
            (18.5, -15.4),
            (10.0, -19.0),
            (0.0, -20.2),
            (-10.0, -19.0),
        ],
        1.3,
    );
    let peak = Shape::blob(&peak);
    shade(p, pen, peak.clone());
    pen.fill(
        peak,
        Ink::Linear(
            (0.0, -20.0),
            p.trim.light(0.10).alpha(1.0),
            (0.0, -10.0),
            p.trim.dark(0.45).alpha(1.0),
        ),
    );
}

fn brim(p: &Person, pen: &mut Pen, t: f32) {
    let t = t - 2.4;
    let top = turned(
        p,
        &[
            (-t, -15.0),
            (-t + 2.2, -29.0),
            (-12.0, -38.0),
            (-4.0, -36.4),
            (0.0, -35.2),
            (4.0, -36.4),
            (12.0, -38.0),
            (t - 2.2, -29.0),
            (t, -15.0),
            (0.0, -18.0),
        ],
    );
    let front = turned(
        p,
        &[
            (-35.0, -15.0),
            (-22.0, -11.6),
            (0.0, -12.6),
            (22.0, -11.6),
            (35.0, -15.0),
            (21.0, -18.6),
            (0.0, -19.6),
            (-21.0, -18.6),
        ],
    );
    let front = Shape::blob(&front);
    shade(p, pen, front.clone());
    felt(p, pen, Shape::blob(&top), 0.0);
    let ribbon = turned(
        p,
        &[
            (-t - 0.2, -16.4),
            (-t + 0.7, -22.4),
            (0.0, -24.6),
            (t - 0.7, -22.4),
            (t + 0.2, -16.4),
            (0.0, -18.8),
        ],
    );
    let ribbon = Shape::at(ribbon[0].0, ribbon[0].1)
        .line(ribbon[1].0, ribbon[1].1)
        .quad(ribbon[2], ribbon[3].0, ribbon[3].1)
        .line(ribbon[4].0, ribbon[4].1)
        .quad(ribbon[5], ribbon[0].0, ribbon[0].1);
    pen.fill(ribbon.close(), p.cloth.dark(0.25));
    felt(p, pen, front, 0.08);
}

fn bowler(p: &Person, pen: &mut Pen, t: f32) {
    let t = t - 1.6;
    let top = turned(
        p,
        &[
            (-t, -15.0),
            (-t + 0.4, -26.0),
            (-13.0, -36.5),
            (0.0, -39.5),
            (13.0, -36.5),
            (t - 0.4, -26.0),
            (t, -15.0),
            (0.0, -18.0),
        ],
    );
    let edge = turned(
        p,
        &[
            (-t - 5.5, -17.0),
            (-t - 2.0, -12.8),
            (0.0, -14.8),
            (t + 2.0, -12.8),
            (t + 5.5, -17.0),
            (t - 1.0, -17.2),
            (0.0, -19.4),
            (-t + 1.0, -17.2),
        ],
    );
    let edge = Shape::blob(&edge);
    shade(p, pen, edge.clone());
    felt(p, pen, Shape::blob(&top), 0.12);
    let (l, r) = (p.turn(-t + 0.3, -18.4, 0.35), p.turn(t - 0.3, -18.4, 0.35));
    pen.line(Shape::at(l.0, l.1).quad(p.turn(0.0, -22.4, 0.5), r.0, r.1), 3.0, p.cloth.dark(0.35));
    felt(p, pen, edge, 0.2);
}
