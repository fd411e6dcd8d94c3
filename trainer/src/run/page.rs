//! A run as one self-contained HTML page: curves, grids over time with a slider, scores, verdicts
//! and settings.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::curves;
use super::folder::Run;
use crate::config::{Config, Objective};
use crate::file::{self, WriteError};
use crate::objective;

/// Largest number of grids on the slider, evenly chosen: each adds a JPEG to the page.
const FRAMES: usize = 40;
/// Quality of the JPEGs: higher ones look the same.
const QUALITY: u8 = 85;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:960px;padding:0 1rem;color:#222}\
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}img,svg{max-width:100%;height:auto}\
table{border-collapse:collapse}td,th{padding:.15rem .8rem .15rem 0;text-align:left;vertical-align:top}\
tr.set td{font-weight:600}input[type=range]{width:100%}.say{margin:.2rem 0}.num{font-variant-numeric:tabular-nums}\
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}svg{background:#fff}}";

const SCRIPT: &str = "const s=document.getElementById('at'),i=document.getElementById('grid'),n=document.getElementById('name');\
function show(){const f=frames[s.value];i.src=f[1];n.textContent=f[0]}if(s){s.oninput=show;show()}";

/// Writes the run's `report.html`; returns its path.
///
/// # Errors
/// [`WriteError`] names the file: the page, or a picture of the run that cannot be read.
pub fn write(run: &Run, cfg: &Config) -> Result<PathBuf, WriteError> {
    let path = run.report();
    let page = page(run, cfg)?;
    file::write(&path, page.as_bytes())?;
    Ok(path)
}

fn page(run: &Run, cfg: &Config) -> Result<String, WriteError> {
    let name = run.root().file_name().unwrap_or(run.root().as_os_str());
    let name = escape(&name.to_string_lossy());
    let rows = curves::rows(&run.stats());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{name}</title>\n\
         <style>{STYLE}</style>\n<h1>{name}</h1>\n"
    );
    if let Some(last) = rows.last() {
        let _ = writeln!(
            page,
            "<p class=num>{} images, epoch {:.2}, {:.1} images/s at the end</p>",
            last.images, last.epoch, last.images_per_s
        );
    }
    let frames = grids(run, cfg);
    if !frames.is_empty() {
        let last = frames.len() - 1;
        let _ = writeln!(
            page,
            "<h2>Samples</h2>\n<img id=grid alt=\"samples of the same latents\">\n\
             <input id=at type=range min=0 max={last} value={last} aria-label=\"images seen\">\n<p id=name class=num></p>"
        );
    }
    let reals = run.picture("reals");
    if reals.exists() {
        let _ = writeln!(
            page,
            "<details><summary>Training images</summary><img alt=\"training images\" src=\"{}\"></details>",
            jpeg(&reals)?
        );
    }
    if let Ok(svg) = curves::svg(&rows, objective::metrics(cfg)) {
        let _ = writeln!(page, "<h2>Curves</h2>\n{svg}");
    }
    section(&mut page, "Scores", scores(&run.scores()));
    section(&mut page, "Verdicts", verdicts(&run.verdicts()));
    section(&mut page, "Options", options(cfg));
    let mut list = String::new();
    for (label, path) in &frames {
        let _ = write!(list, "[\"{}\",\"{}\"],", escape(label), jpeg(path)?);
    }
    let _ = writeln!(page, "<script>const frames=[{list}];{SCRIPT}</script>\n</html>");
    Ok(page)
}

fn section(page: &mut String, title: &str, body: String) {
    if !body.is_empty() {
        let _ = writeln!(page, "<h2>{title}</h2>\n{body}");
    }
}

/// The grids of the run over time, with their captions; for a translator its rows of pairs.
fn grids(run: &Run, cfg: &Config) -> Vec<(String, PathBuf)> {
    let [of_images, of_epoch] = match cfg.objective {
        Objective::Pix2pix | Objective::Cyclegan => ["translated-", "translated_epoch_"],
        Objective::Gan | Objective::Autoencoder | Objective::Vae => {
            ["fakes-", "fake_images_epoch_"]
        }
    };
    let entries = fs::read_dir(run.root()).into_iter().flatten().flatten();
    let mut all: Vec<(u64, String, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_str()?.strip_suffix(".png")?.to_owned();
            let (at, label) = match name.as_str() {
                "fakes_init" => (0, "before the first step".to_string()),
                name => match name.strip_prefix(of_epoch) {
                    Some(epoch) => {
                        let epoch = epoch.parse().ok()?;
                        (epoch, format!("epoch {epoch}"))
                    }
                    None => {
                        let images = name.strip_prefix(of_images)?.parse().ok()?;
                        (images, format!("{images} images"))
                    }
                },
            };
            Some((at, label, entry.path()))
        })
        .collect();
    all.sort();
    let step = all.len().div_ceil(FRAMES).max(1);
    // Counted from the end, so that the newest is always included.
    let skip = (all.len().max(1) - 1) % step;
    all.into_iter().skip(skip).step_by(step).map(|(_, label, path)| (label, path)).collect()
}

/// A picture as a data URL of a JPEG.
fn jpeg(path: &Path) -> Result<String, WriteError> {
    let name = |error: io::Error| WriteError { path: path.into(), error };
    let picture = codecs::open(path).map_err(|e| name(io::Error::other(e)))?;
    let bytes = codecs::jpeg(&picture.into_rgb8(), QUALITY);
    let text = STANDARD.encode(bytes.map_err(|e| name(io::Error::other(e)))?);
    Ok(format!("data:image/jpeg;base64,{text}"))
}

/// JSON objects as a table with a column for each key.
fn scores(path: &Path) -> String {
    let rows = objects(path);
    let mut keys: Vec<&String> = Vec::new();
    for key in rows.iter().flat_map(|row| row.keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    // Images first, regardless of the order in the file.
    keys.sort_by_key(|key| *key != "images");
    if keys.is_empty() {
        return String::new();
    }
    let head: String = keys.iter().map(|key| format!("<th>{}</th>", escape(key))).collect();
    let body: String = rows
        .iter()
        .map(|row| {
            let cells: String = keys
                .iter()
                .map(|key| format!("<td>{}</td>", row.get(*key).map_or(String::new(), plain)))
                .collect();
            format!("<tr>{cells}</tr>\n")
        })
        .collect();
    format!("<table class=num><tr>{head}</tr>\n{body}</table>")
}

fn verdicts(path: &Path) -> String {
    let rows = objects(path);
    rows.iter()
        .map(|row| {
            let cell = |key| row.get(key).map_or(String::new(), plain);
            format!(
                "<p class=say><span class=num>{} images</span>: {}</p>\n",
                cell("images"),
                cell("text")
            )
        })
        .collect()
}

/// Every setting, with those that differ from the default highlighted.
fn options(cfg: &Config) -> String {
    let table = |cfg: &Config| -> serde_json::Map<String, Value> {
        serde_json::from_str(&cfg.to_json()).unwrap_or_default()
    };
    let (own, default) = (table(cfg), table(&Config::default()));
    let rows: String = own
        .iter()
        .map(|(key, value)| {
            let class = match default.get(key) == Some(value) {
                true => "",
                false => " class=set",
            };
            format!("<tr{class}><td>{}</td><td>{}</td></tr>\n", escape(key), plain(value))
        })
        .collect();
    format!("<table>{rows}</table>")
}

/// The JSON objects of a file, one per line; other lines are skipped.
fn objects(path: &Path) -> Vec<serde_json::Map<String, Value>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => escape(text),
        Value::Number(n) if n.is_f64() => {
            let v = n.as_f64().unwrap_or_default();
            match v.abs() {
                a if a == 0.0 || (1e-3..1e6).contains(&a) => {
                    format!("{:.4}", v).trim_end_matches('0').trim_end_matches('.').to_string()
                }
                _ => format!("{v:e}"),
            }
        }
        other => escape(&other.to_string()),
    }
}

/// Text escaped for HTML and for strings in scripts.
fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".into(),
            '<' => "&lt;".into(),
            '>' => "&gt;".into(),
            '"' => "&quot;".into(),
            '\\' => "&#92;".into(),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    #[test]
    fn a_run_becomes_a_page() {
        let dir = tempfile::tempdir().unwrap();
        let run = Run::at(&dir.path().join("<b>&\"quotes\""));
        run.create().unwrap();
        let cfg = Config::default();
        let sheet = RgbImage::from_pixel(8, 8, image::Rgb([200, 100, 50]));
        for name in ["reals", "fakes_init", "fakes-000000100", "fakes-000000200"] {
            codecs::save(sheet.clone(), run.picture(name)).unwrap();
        }
        fs::write(
            run.stats(),
            "{\"images\":100,\"epoch\":0.1,\"seconds\":1.0,\"images_per_s\":9.5,\"d_loss\":1.0,\"g_loss\":2.0}\n{\"ima",
        )
        .unwrap();
        fs::write(run.verdicts(), "{\"images\":100,\"text\":\"D <script> is too strong\"}\n")
            .unwrap();
        fs::write(run.scores(), "{\"swd\":31.25,\"images\":100}\n").unwrap();
        let path = write(&run, &cfg).unwrap();
        let page = fs::read_to_string(path).unwrap();
        assert_eq!(page.matches("data:image/jpeg;base64,").count(), 4);
        for want in [
            "&lt;b&gt;&amp;&quot;quotes&quot;",
            "100 images",
            "31.25",
            "D &lt;script&gt; is",
            "before the first step",
        ] {
            assert!(page.contains(want), "{want}");
        }
        // The page loads nothing from elsewhere.
        assert!(!page.contains("src=\"http") && !page.contains("<link"));
        assert_eq!(page.matches("<script>").count(), 1);
    }

    #[test]
    fn many_grids_are_thinned_and_the_newest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let run = Run::at(dir.path());
        for i in 1..=95 {
            fs::write(run.picture(&format!("fakes-{:09}", i * 1000)), "").unwrap();
        }
        let all = grids(&run, &Config::default());
        assert!(all.len() <= FRAMES && all.len() > FRAMES / 2, "{}", all.len());
        assert_eq!(all.last().unwrap().0, "95000 images");
        let translator = Config::new(Some("pix2pix"), &toml::Table::new()).unwrap();
        fs::write(run.picture("translated-000000700"), "").unwrap();
        let all = grids(&run, &translator);
        assert_eq!(all.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>(), ["700 images"]);
    }

    #[test]
    fn numbers() {
        let cases = [
            ("0.00004", "4e-5"),
            ("31.2500001", "31.25"),
            ("0.0", "0"),
            ("7", "7"),
            ("\"a<b\"", "a&lt;b"),
        ];
        for (json, want) in cases {
            assert_eq!(plain(&serde_json::from_str(json).unwrap()), want);
        }
    }
}
