//! The picture of a run's numbers: losses above, what D thinks below.

use std::error::Error;
use std::fs;
use std::path::Path;

use plotters::prelude::*;

use crate::report::Row;

const SIZE: (u32, u32) = (900, 600);
const BLUE_LINE: RGBColor = RGBColor(31, 119, 180);
const ORANGE_LINE: RGBColor = RGBColor(255, 127, 14);
const GREEN_LINE: RGBColor = RGBColor(44, 160, 44);

/// A curve: name, colour, value of a row.
type Curve = (&'static str, RGBColor, fn(&Row) -> f64);

/// The rows of a `stats.jsonl`; lines that a dying process left unfinished are passed over.
pub fn rows(path: &Path) -> Vec<Row> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// The curves of `rows` as an SVG document.
///
/// # Errors
/// What the plotting library reports; a row has to be there.
pub fn svg(rows: &[Row]) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let (above, below) = area.split_vertically(SIZE.1 / 2);
        let losses: [Curve; 2] = [
            ("Loss_D", BLUE_LINE, |r| r.d_loss),
            ("Loss_G", ORANGE_LINE, |r| r.g_loss),
        ];
        let highest = rows
            .iter()
            .flat_map(|r| [r.d_loss, r.g_loss])
            .filter(|v| v.is_finite())
            .fold(0.1, f64::max);
        panel(&above, "losses", 1.05 * highest, &losses, rows)?;
        let thoughts: [Curve; 3] = [
            ("D(x)", BLUE_LINE, |r| r.d_real),
            ("D(G(z)) before D's step", ORANGE_LINE, |r| r.d_fake),
            ("D(G(z)) after it", GREEN_LINE, |r| r.d_fake_after),
        ];
        panel(&below, "mean of D, as a probability", 1.0, &thoughts, rows)?;
        area.present()?;
    }
    Ok(text)
}

fn panel<'a, B: DrawingBackend + 'a>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    caption: &str,
    highest: f64,
    curves: &[Curve],
    rows: &[Row],
) -> Result<(), Box<dyn Error>>
where
    B::ErrorType: 'static,
{
    let last = rows.last().map_or(1, |r| r.images).max(1) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(46)
        .build_cartesian_2d(0.0..last, 0.0..highest)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("images seen")
        .x_label_formatter(&|v| format_images(*v))
        .y_label_formatter(&|v| format!("{v:.1}"))
        .draw()?;
    for &(name, colour, value) in curves {
        let points = rows.iter().map(|r| (r.images as f64, value(r)));
        let points = points.filter(|(_, v)| v.is_finite());
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| {
                PathElement::new(vec![(x, y), (x + 16, y)], colour.stroke_width(2))
            });
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

/// `250`, `250 k`, `2.5 M`.
fn format_images(v: f64) -> String {
    match v {
        v if v >= 1e6 => format!("{} M", v / 1e6),
        v if v >= 1e3 => format!("{} k", v / 1e3),
        v => format!("{v}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_is_drawn_and_named() {
        let row = |images, d_loss| Row {
            images,
            epoch: 0.0,
            seconds: 0.0,
            images_per_s: 0.0,
            d_loss,
            g_loss: 2.0,
            d_real: 0.7,
            d_fake: 0.3,
            d_fake_after: 0.2,
        };
        let text = svg(&[row(10, 1.0), row(20, f64::NAN), row(30, 0.5)]).unwrap();
        let names = [
            "Loss_D",
            "Loss_G",
            "D(x)",
            "D(G(z)) before",
            "after it",
            "images seen",
        ];
        for name in names {
            assert!(text.contains(name), "{name} is missing");
        }
        assert_eq!(
            text.matches("stroke-width=\"2\"").count(),
            10,
            "a curve and its key each"
        );
        assert!(!text.contains("NaN"));
        assert!(svg(&[row(0, 1.0)]).is_ok(), "one row at the very beginning");
        assert!(svg(&[]).is_ok(), "none");
    }

    #[test]
    fn numbers_of_images() {
        let cases = [(250.0, "250"), (40_000.0, "40 k"), (2_500_000.0, "2.5 M")];
        for (value, want) in cases {
            assert_eq!(format_images(value), want);
        }
    }
}
