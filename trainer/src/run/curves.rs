//! Curves of a run's metrics: one chart per kind of metric.

use std::error::Error;
use std::fs;
use std::path::Path;

use plotters::prelude::*;

use super::stats::Row;
use crate::objective::metric::{Chart, Metric};

/// Width of the picture and height of one chart.
const SIZE: (u32, u32) = (1060, 300);
/// Width of the legend, a part of that.
const LEGEND: u32 = 190;
/// Colors of a chart's curves, in turn.
const COLORS: [RGBColor; 5] = [
    RGBColor(31, 119, 180),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
];

/// The rows of a `stats.jsonl`; lines that a killed process left unfinished are skipped.
pub fn rows(path: &Path) -> Vec<Row> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The curves of `rows` as an SVG document: the metrics that have a chart, one chart below the
/// other.
///
/// # Errors
/// What the plotting library reports.
pub fn svg(rows: &[Row], metrics: &[Metric]) -> Result<String, Box<dyn Error>> {
    let mut charts: Vec<Chart> = metrics.iter().filter_map(|m| m.chart).collect();
    charts.sort();
    charts.dedup();
    let mut text = String::new();
    {
        let size = (SIZE.0, SIZE.1 * charts.len().max(1) as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)?;
        for (area, which) in area.split_evenly((charts.len().max(1), 1)).iter().zip(charts) {
            let curves: Vec<&Metric> = metrics.iter().filter(|g| g.chart == Some(which)).collect();
            chart(area, which, &curves, rows)?;
        }
        area.present()?;
    }
    Ok(text)
}

/// Smallest and largest value of a chart.
fn span(which: Chart, curves: &[&Metric], rows: &[Row]) -> (f64, f64) {
    if which == Chart::Probability {
        return (0.0, 1.0);
    }
    let values =
        rows.iter().flat_map(|r| curves.iter().map(|g| r.value(g.key))).filter(|v| v.is_finite());
    let (least, most) = values.fold((0.0, 0.1), |(a, b): (f64, f64), v| (a.min(v), b.max(v)));
    (1.05 * least, 1.05 * most)
}

fn chart<'a, B: DrawingBackend + 'a>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    which: Chart,
    curves: &[&Metric],
    rows: &[Row],
) -> Result<(), Box<dyn Error>>
where
    B::ErrorType: 'static,
{
    let last = rows.last().map_or(1, |r| r.images).max(1) as f64;
    let (least, most) = span(which, curves, rows);
    // The legend has its own column, so that it hides no points.
    let (plot, legend) = area.split_horizontally(SIZE.0 - LEGEND);
    let mut chart = ChartBuilder::on(&plot)
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
    for (i, (metric, &color)) in curves.iter().zip(COLORS.iter().cycle()).enumerate() {
        let points = rows.iter().map(|r| (r.images as f64, r.value(metric.key)));
        let points = points.filter(|(_, v)| v.is_finite());
        chart.draw_series(LineSeries::new(points, color.stroke_width(2)))?;
        let y = 40 + 20 * i as i32;
        legend.draw(&PathElement::new(vec![(0, y), (16, y)], color.stroke_width(2)))?;
        legend.draw(&Text::new(metric.name, (22, y - 6), ("sans-serif", 12)))?;
    }
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
    use crate::objective::gan;

    #[test]
    fn every_curve_is_drawn_and_named() {
        let row = |images, d_loss| Row {
            images,
            epoch: 0.0,
            seconds: 0.0,
            images_per_s: 0.0,
            metrics: [
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
        let svg = |rows: &[Row]| super::svg(rows, gan::METRICS);
        let text = svg(&[row(10, 1.0), row(20, f64::NAN), row(30, 0.5)]).unwrap();
        let names = ["loss of D", "loss of G", "D(x)", "D(G(z)) before", "after it", "images seen"];
        for name in names {
            assert!(text.contains(name), "{name} is missing");
        }
        assert_eq!(text.matches("stroke-width=\"2\"").count(), 14, "a curve and its key each");
        assert!(!text.contains("NaN"));
        assert!(svg(&[row(0, 1.0)]).is_ok(), "one row at the very beginning");
        assert!(svg(&[]).is_ok(), "none");
    }

    #[test]
    fn the_legend_covers_no_point() {
        let metrics = gan::PENALIZED;
        let row = |images| Row {
            images,
            epoch: 0.0,
            seconds: 0.0,
            images_per_s: 0.0,
            metrics: metrics.iter().map(|m| (m.key.to_string(), 0.5)).collect(),
        };
        let text = super::svg(&[row(0), row(90_000)], metrics).unwrap();
        let attribute = |line: &str, name: &str| {
            let from = line.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
            line[from..].split('"').next().unwrap().to_string()
        };
        // Two points are a curve, or the sample of its color in the legend.
        let curves =
            text.lines().filter(|l| l.contains("polyline") && l.contains("stroke-width=\"2\""));
        let ends = curves.map(|line| {
            let points = attribute(line, "points");
            let (last, _) = points.split_whitespace().last().unwrap().split_once(',').unwrap();
            last.parse::<f64>().unwrap()
        });
        let left = f64::from(SIZE.0 - LEGEND);
        assert_eq!(ends.clone().filter(|&x| x > left).count(), metrics.len(), "in the legend");
        assert_eq!(ends.filter(|&x| x < left).count(), metrics.len(), "in the charts");
        let lines: Vec<&str> = text.lines().collect();
        for metric in metrics {
            let name = metric.name.replace('\'', "&apos;");
            let at = lines.iter().position(|l| l.trim() == name).expect(metric.name);
            let x: f64 = attribute(lines[at - 1], "x").parse().unwrap();
            assert!(x > left, "{}: {x}", metric.name);
        }
    }

    #[test]
    fn numbers_of_images() {
        let cases = [(250.0, "250"), (40_000.0, "40 k"), (2_500_000.0, "2.5 M")];
        for (value, want) in cases {
            assert_eq!(format_images(value), want);
        }
    }
}
