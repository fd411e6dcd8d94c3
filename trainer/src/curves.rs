//! The picture of a run's numbers: a panel of curves for each kind of them.

use std::error::Error;
use std::fs;
use std::path::Path;

use plotters::prelude::*;

use crate::objective::{Gauge, Panel};
use crate::report::Row;

/// Width of the picture and height of one panel.
const SIZE: (u32, u32) = (900, 300);
/// Colours of a panel's curves, in turn.
const COLOURS: [RGBColor; 5] = [
    RGBColor(31, 119, 180),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
];

/// The rows of a `stats.jsonl`; lines that a dying process left unfinished are passed over.
pub fn rows(path: &Path) -> Vec<Row> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The curves of `rows` as an SVG document: the gauges that have a panel, a panel below the other.
///
/// # Errors
/// What the plotting library reports.
pub fn svg(rows: &[Row], gauges: &[Gauge]) -> Result<String, Box<dyn Error>> {
    let mut panels: Vec<Panel> = gauges.iter().filter_map(|g| g.panel).collect();
    panels.sort();
    panels.dedup();
    let mut text = String::new();
    {
        let size = (SIZE.0, SIZE.1 * panels.len().max(1) as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)?;
        for (area, which) in area.split_evenly((panels.len().max(1), 1)).iter().zip(panels) {
            let curves: Vec<&Gauge> = gauges.iter().filter(|g| g.panel == Some(which)).collect();
            panel(area, which, &curves, rows)?;
        }
        area.present()?;
    }
    Ok(text)
}

/// Least and largest of what a panel shows.
fn span(which: Panel, curves: &[&Gauge], rows: &[Row]) -> (f64, f64) {
    if which == Panel::Probability {
        return (0.0, 1.0);
    }
    let values =
        rows.iter().flat_map(|r| curves.iter().map(|g| r.value(g.key))).filter(|v| v.is_finite());
    let (least, most) = values.fold((0.0, 0.1), |(a, b): (f64, f64), v| (a.min(v), b.max(v)));
    (1.05 * least, 1.05 * most)
}

fn panel<'a, B: DrawingBackend + 'a>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    which: Panel,
    curves: &[&Gauge],
    rows: &[Row],
) -> Result<(), Box<dyn Error>>
where
    B::ErrorType: 'static,
{
    let last = rows.last().map_or(1, |r| r.images).max(1) as f64;
    let (least, most) = span(which, curves, rows);
    let mut chart = ChartBuilder::on(area)
        .caption(which.caption(), ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(46)
        .build_cartesian_2d(0.0..last, least..most)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("images seen")
        .x_label_formatter(&|v| format_images(*v))
        .y_label_formatter(&|v| format!("{v:.1}"))
        .draw()?;
    for (gauge, &colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let points = rows.iter().map(|r| (r.images as f64, r.value(gauge.key)));
        let points = points.filter(|(_, v)| v.is_finite());
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(gauge.name)
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
    use crate::gan;

    #[test]
    fn every_curve_is_drawn_and_named() {
        let row = |images, d_loss| Row {
            images,
            epoch: 0.0,
            seconds: 0.0,
            images_per_s: 0.0,
            gauges: [
                ("d_loss", d_loss),
                ("g_loss", 2.0),
                ("d_real", 0.7),
                ("d_fake", 0.3),
                ("d_fake_after", 0.2),
                ("d_right", 0.9),
                ("variety", 0.8),
            ]
            .map(|(key, value)| (key.to_string(), value))
            .into(),
        };
        let svg = |rows: &[Row]| super::svg(rows, gan::GAUGES);
        let text = svg(&[row(10, 1.0), row(20, f64::NAN), row(30, 0.5)]).unwrap();
        let names = ["Loss_D", "Loss_G", "D(x)", "D(G(z)) before", "after it", "images seen"];
        for name in names {
            assert!(text.contains(name), "{name} is missing");
        }
        assert_eq!(text.matches("stroke-width=\"2\"").count(), 14, "a curve and its key each");
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
