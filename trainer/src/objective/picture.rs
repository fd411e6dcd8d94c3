//! Pictures beside the samples: sheets of rows, and codes as points in space.

use std::fmt::Write as _;

use burn::tensor::Tensor;
use image::{Rgb, RgbImage, imageops};
use nalgebra::{DMatrix, SymmetricEigen};
use tiny_skia::{Color, FillRule, Paint, PathBuilder, Pixmap, Stroke, Transform};

use crate::data::sheet::{pictures, sheet};

/// A picture with a name.
pub struct Picture {
    /// File name, without number and extension.
    pub name: &'static str,
    /// The picture.
    pub image: RgbImage,
    /// The same as an interactive HTML page.
    pub page: Option<String>,
}

/// Colors of classes, chosen to be easy to tell apart.
const COLORS: [[u8; 3]; 12] = [
    [31, 119, 180],
    [255, 127, 14],
    [44, 160, 44],
    [214, 39, 40],
    [148, 103, 189],
    [140, 86, 75],
    [227, 119, 194],
    [110, 110, 110],
    [188, 189, 34],
    [23, 190, 207],
    [0, 0, 128],
    [255, 190, 0],
];

/// Rows of images below each other, each `[n, c, h, w]` with black 0 and white 1. Long rows are
/// broken: the first `columns` images of every row, then the next.
pub fn rows(name: &'static str, rows: &[Tensor<4>], columns: usize) -> Picture {
    let rows: Vec<Vec<RgbImage>> =
        rows.iter().map(|row| pictures(row.clone() * 2.0 - 1.0)).collect();
    let count = rows.first().map_or(0, Vec::len);
    let mut all = Vec::new();
    for first in (0..count).step_by(columns) {
        for row in &rows {
            let group = &row[first..(first + columns).min(count)];
            all.extend_from_slice(group);
            // Fill a short last group, so that rows stay aligned.
            let (w, h) = row[0].dimensions();
            all.extend((group.len()..columns).map(|_| RgbImage::new(w, h)));
        }
    }
    Picture { name, image: sheet(&all, columns), page: None }
}

/// Pictures below each other; none of none.
pub fn stacked(name: &'static str, pictures: &[Picture]) -> Option<Picture> {
    let images: Vec<RgbImage> = pictures.iter().map(|picture| picture.image.clone()).collect();
    let width = images.iter().map(RgbImage::width).max()?;
    let mut image = RgbImage::new(width, images.iter().map(RgbImage::height).sum());
    let mut y = 0;
    for part in &images {
        imageops::replace(&mut image, part, 0, y);
        y += i64::from(part.height());
    }
    Some(Picture { name, image, page: None })
}

/// Points and their classes.
pub struct Points {
    /// Two or three coordinates per point.
    at: Vec<[f32; 3]>,
    /// Number of coordinates in use.
    axes: usize,
    labels: Vec<usize>,
    names: Vec<String>,
    /// The mean image of each class.
    means: Vec<Option<RgbImage>>,
}

impl Points {
    /// Codes of `nz` values as points, reduced to the first three principal components if they have
    /// more. `labels` has a class per code or is empty; `names` and `means` are the classes' names
    /// and mean images.
    pub fn new(
        codes: &[f32],
        nz: usize,
        labels: Vec<usize>,
        names: Vec<String>,
        means: Vec<Option<RgbImage>>,
    ) -> Points {
        let at = match nz {
            0..=3 => codes
                .chunks_exact(nz.max(1))
                .map(|code| std::array::from_fn(|i| code.get(i).copied().unwrap_or(0.0)))
                .collect(),
            _ => principal(codes, nz),
        };
        Points { at, axes: nz.min(3), labels, names, means }
    }

    /// As a picture, from two sides if there are three axes, and as a page that can be rotated.
    pub fn picture(&self, name: &'static str) -> Picture {
        const SIDE: u32 = 480;
        let views: &[f32] = match self.axes {
            3 => &[0.5, 2.1],
            _ => &[0.0],
        };
        let each: Vec<RgbImage> = views.iter().map(|&turn| self.view(turn, SIDE)).collect();
        Picture { name, image: sheet(&each, views.len()), page: Some(self.page()) }
    }

    fn label(&self, i: usize) -> usize {
        self.labels.get(i).copied().unwrap_or(0)
    }

    /// Points scaled to [-1, 1] and centered.
    fn scaled(&self) -> Vec<[f32; 3]> {
        let mut least = [f32::MAX; 3];
        let mut most = [f32::MIN; 3];
        for p in &self.at {
            for i in 0..3 {
                least[i] = least[i].min(p[i]);
                most[i] = most[i].max(p[i]);
            }
        }
        let widest = (0..3).map(|i| most[i] - least[i]).fold(1e-6, f32::max);
        let place =
            |p: &[f32; 3]| std::array::from_fn(|i| (2.0 * p[i] - least[i] - most[i]) / widest);
        self.at.iter().map(place).collect()
    }

    /// The view rotated about the vertical axis by `turn` radians, slightly from above.
    fn view(&self, turn: f32, side: u32) -> RgbImage {
        let tilt: f32 = match self.axes {
            3 => 0.35,
            _ => 0.0,
        };
        let middle = side as f32 / 2.0;
        let scale = match self.axes {
            3 => middle * 0.68,
            _ => middle * 0.94,
        };
        let project = |p: [f32; 3]| {
            let [x, y, z] = p;
            let (x, z) = (x * turn.cos() + z * turn.sin(), z * turn.cos() - x * turn.sin());
            let (y, z) = (y * tilt.cos() - z * tilt.sin(), z * tilt.cos() + y * tilt.sin());
            (middle + x * scale, middle - y * scale, z)
        };
        let Some(mut canvas) = Pixmap::new(side, side) else {
            return RgbImage::new(side, side);
        };
        canvas.fill(Color::WHITE);
        let mut pen = Paint { anti_alias: true, ..Paint::default() };
        if self.axes == 3 {
            self.cube(&mut canvas, &mut pen, &project);
        }
        let mut order: Vec<(f32, f32, f32, usize)> = self
            .scaled()
            .into_iter()
            .enumerate()
            .map(|(i, p)| {
                let (x, y, z) = project(p);
                (z, x, y, self.label(i))
            })
            .collect();
        // Far points are drawn first.
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        for &(_, x, y, label) in &order {
            let [r, g, b] = COLORS[label % COLORS.len()];
            pen.set_color_rgba8(r, g, b, 200);
            if let Some(dot) = PathBuilder::from_circle(x, y, 2.4) {
                canvas.fill_path(&dot, &pen, FillRule::Winding, Transform::identity(), None);
            }
        }
        let mut picture = RgbImage::from_fn(side, side, |x, y| {
            let p = canvas.pixel(x, y).map(|p| p.demultiply());
            Rgb(p.map_or([255; 3], |p| [p.red(), p.green(), p.blue()]))
        });
        self.faces(&mut picture, &order);
        picture
    }

    fn cube(
        &self,
        canvas: &mut Pixmap,
        pen: &mut Paint<'_>,
        project: &impl Fn([f32; 3]) -> (f32, f32, f32),
    ) {
        pen.set_color_rgba8(200, 200, 200, 255);
        let corner = |i: usize| [0, 1, 2].map(|axis| if i >> axis & 1 == 1 { 1.0 } else { -1.0 });
        for i in 0..8usize {
            for axis in 0..3 {
                let j = i | 1 << axis;
                if i == j {
                    continue;
                }
                let (from, to) = (project(corner(i)), project(corner(j)));
                let mut path = PathBuilder::new();
                path.move_to(from.0, from.1);
                path.line_to(to.0, to.1);
                if let Some(path) = path.finish() {
                    let stroke = Stroke::default();
                    canvas.stroke_path(&path, pen, &stroke, Transform::identity(), None);
                }
            }
        }
    }

    /// The mean image of each class at the center of its points, framed in its color, as a legend
    /// without text.
    fn faces(&self, picture: &mut RgbImage, points: &[(f32, f32, f32, usize)]) {
        for (label, mean) in self.means.iter().enumerate() {
            let Some(mean) = mean else { continue };
            let of: Vec<_> = points.iter().filter(|p| p.3 == label).collect();
            if of.is_empty() {
                continue;
            }
            let n = of.len() as f32;
            let (x, y) = of.iter().fold((0.0, 0.0), |(x, y), p| (x + p.1 / n, y + p.2 / n));
            let (w, h) = mean.dimensions();
            let color = Rgb(COLORS[label % COLORS.len()]);
            let mut framed = RgbImage::from_pixel(w + 4, h + 4, color);
            imageops::replace(&mut framed, mean, 2, 2);
            let (x, y) = (x as i64 - i64::from(w) / 2, y as i64 - i64::from(h) / 2);
            imageops::replace(picture, &framed, x, y);
        }
    }

    fn page(&self) -> String {
        let mut points = String::new();
        for (i, [x, y, z]) in self.scaled().into_iter().enumerate() {
            let _ = write!(points, "[{x:.3},{y:.3},{z:.3},{}],", self.label(i));
        }
        let colors: Vec<String> =
            COLORS.iter().map(|[r, g, b]| format!("\"rgb({r},{g},{b})\"")).collect();
        let names = serde_json::to_string(&self.names).unwrap_or_else(|_| "[]".into());
        PAGE.replace("POINTS", &points)
            .replace("COLORS", &colors.join(","))
            // A name that ends the script would end the page.
            .replace("NAMES", &names.replace('<', "\\u003c"))
    }
}

/// A canvas that is rotated by dragging.
const PAGE: &str = r#"<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>codes</title>
<style>body{margin:0;font:14px system-ui,sans-serif;background:#fff;color:#222}canvas{display:block;width:100vw;height:100vh;touch-action:none;cursor:grab}
#key{position:fixed;left:1rem;top:1rem}#key b{display:inline-block;width:.8em;height:.8em;margin-right:.4em;border-radius:50%}</style>
<canvas id="c"></canvas><div id="key"></div>
<script>
const points=[POINTS],colors=[COLORS],names=NAMES,c=document.getElementById('c'),g=c.getContext('2d');
let turn=.5,tilt=.35,zoom=1,held=null;
function draw(){const r=devicePixelRatio,w=c.width=innerWidth*r,h=c.height=innerHeight*r,s=Math.min(w,h)*.38*zoom;
const ct=Math.cos(turn),st=Math.sin(turn),cl=Math.cos(tilt),sl=Math.sin(tilt);
points.map(([x,y,z,l])=>{const u=x*ct+z*st,v=z*ct-x*st;return[w/2+u*s,h/2-(y*cl-v*sl)*s,v*cl+y*sl,l]})
.sort((a,b)=>b[2]-a[2]).forEach(([x,y,z,l])=>{g.globalAlpha=Math.max(.25,.75-.25*z);g.fillStyle=colors[l%colors.length];g.beginPath();g.arc(x,y,3*r*(1-.2*z),0,7);g.fill()})}
c.onpointerdown=e=>{held=[e.clientX,e.clientY];c.setPointerCapture(e.pointerId)};c.onpointerup=()=>held=null;
c.onpointermove=e=>{if(!held)return;turn+=(e.clientX-held[0])*.01;tilt+=(e.clientY-held[1])*.01;held=[e.clientX,e.clientY];draw()};
c.onwheel=e=>{zoom*=Math.exp(-e.deltaY*.001);e.preventDefault();draw()};onresize=draw;
const key=document.getElementById('key');names.forEach((n,i)=>{const d=document.createElement('div'),b=document.createElement('b');b.style.background=colors[i%colors.length];d.append(b,n);key.append(d)});
draw();
</script></html>
"#;

/// Far more than the eigenvalues of a few hundred dimensions take; values that are not finite never
/// converge.
const ITERATIONS: usize = 100_000;

/// Centered codes along their three directions of largest variance.
fn principal(codes: &[f32], nz: usize) -> Vec<[f32; 3]> {
    let n = codes.len() / nz;
    let mut mean = vec![0.0f64; nz];
    for code in codes.chunks_exact(nz) {
        mean.iter_mut().zip(code).for_each(|(m, &v)| *m += f64::from(v) / n as f64);
    }
    let centered = DMatrix::from_fn(n, nz, |i, j| f64::from(codes[i * nz + j]) - mean[j]);
    let covariance = centered.transpose() * &centered;
    let Some(eigen) = SymmetricEigen::try_new(covariance, f64::EPSILON, ITERATIONS) else {
        return vec![[0.0; 3]; n];
    };
    let mut order: Vec<usize> = (0..nz).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let along = centered * eigen.eigenvectors;
    (0..n).map(|i| std::array::from_fn(|k| along[(i, order[k])] as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principal_directions_come_first() {
        let codes: Vec<f32> = (0..40)
            .flat_map(|i| {
                let t = i as f32 - 19.5;
                [0.1 * t * t / 20.0, 3.0 * t, (i % 2) as f32, 0.0, 5.0]
            })
            .collect();
        let points = principal(&codes, 5);
        let variance = |axis: usize| points.iter().map(|p| p[axis] * p[axis]).sum::<f32>();
        assert!(variance(0) > 10.0 * variance(1) && variance(1) > variance(2));
        // The first is the second value, up to its sign.
        assert!((points[0][0].abs() - 3.0 * 19.5).abs() < 0.5);
    }

    #[test]
    fn points_are_where_they_should_be() {
        let codes = [-1.0, -1.0, 1.0, 1.0];
        let points =
            Points::new(&codes, 2, vec![0, 1], vec!["a".into(), "</script>".into()], vec![]);
        let picture = points.picture("codes");
        let at = |x, y| picture.image.get_pixel(x, y).0;
        let near = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 70);
        // Up is up: the point of both smallest values lies at the lower left.
        assert!(near(at(14, 465), COLORS[0]), "{:?}", at(14, 465));
        assert!(near(at(465, 14), COLORS[1]), "{:?}", at(465, 14));
        let page = picture.page.unwrap();
        assert!(page.contains("-1.000,-1.000") && !page.contains("\"</script>"));
    }
}
