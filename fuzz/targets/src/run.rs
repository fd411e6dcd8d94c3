//! What is in a run's folder, and recipes. Nobody takes these from strangers, but disks fail.

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;

use trainer::config::Config;
use trainer::networks::{self, State};
use trainer::run::Run;
use trainer::run::checkpoint::{Checkpoint, newest, save};

use crate::bytes::Choices;
use crate::place;

/// Settings as a recipe, as the options of a run, and as flags.
pub fn recipe(bytes: &[u8]) {
    let path = place::file("recipe.toml", bytes);
    let name = path.to_str().expect("temporary files have plain names");
    if let Ok(cfg) = Config::new(Some(name), &toml::Table::new()) {
        let json = place::file("options.json", cfg.to_json().as_bytes());
        let again = Config::load(&json).expect("it was just written");
        assert_eq!(again.to_toml(), cfg.to_toml());
        let _ = cfg.total(1000);
        let _ = cfg.rates(0);
        let _ = cfg.go_on(Some(name), &toml::Table::new()).expect("nothing has changed");
    }
    let _ = Config::load(&path);
    for line in String::from_utf8_lossy(bytes).lines() {
        let _ = trainer::config::set("--set", line);
    }
}

/// A checkpoint with one file changed: the first byte chooses the file, the second whether its
/// checksum is mended, and every three are a place and a value; the last may cut the file short.
///
/// # Panics
/// If a change passes that a checksum should find.
pub fn checkpoint(bytes: &[u8]) {
    let (run, files) = whole();
    let mut choices = Choices(bytes);
    let (name, before) = &files[choices.below(files.len())];
    let mended = choices.byte() & 1 == 1;
    let mut after = before.clone();
    while choices.0.len() >= 3 {
        let at = choices.short() % after.len();
        after[at] = choices.byte();
    }
    if !choices.0.is_empty() {
        after.truncate(choices.byte().into());
    }
    let dir = run.checkpoints().join("000000000000");
    fs::write(dir.join(name), &after).expect("written");
    if mended && name != "checksums" {
        fs::write(dir.join("checksums"), sums(&files, name, &after)).expect("written");
    }
    let opened = Checkpoint::open(&dir);
    let changed = !mended && after != *before;
    assert!(!changed || opened.is_err(), "a change of {name} went unnoticed");
    if let Ok(checkpoint) = opened {
        let _ = checkpoint.images();
        let _ = checkpoint.state(fresh(), None);
        let _ = checkpoint.averages(fresh());
    }
    let _ = newest(&run);
    for file in [name.as_str(), "checksums"] {
        let (_, before) = files.iter().find(|(name, _)| name == file).expect("it is there");
        fs::write(dir.join(file), before).expect("written");
    }
}

/// The lines of the file of checksums with `bytes` in the place of those of a file.
fn sums(files: &[(String, Vec<u8>)], changed: &str, bytes: &[u8]) -> String {
    let all = files.iter().filter(|(name, _)| name != "checksums");
    let lines: String = all
        .map(|(name, whole)| {
            let bytes = if name == changed { bytes } else { whole };
            format!("{:08x} {} {name}\n", crc32c::crc32c(bytes), bytes.len())
        })
        .collect();
    format!("{lines}{:08x}\n", crc32c::crc32c(lines.as_bytes()))
}

fn fresh() -> State {
    let text = "size = 16\nngf = 2\nndf = 2\nnz = 4";
    let cfg = Config::new(None, &text.parse().expect("TOML")).expect("valid settings");
    networks::fresh(&cfg, &cfg.device.open()).expect("networks of these settings")
}

type Files = Vec<(String, Vec<u8>)>;

/// A run with one whole checkpoint, and its files.
fn whole() -> (Run, Files) {
    thread_local! {
        static WHOLE: OnceCell<(PathBuf, Files)> = const { OnceCell::new() };
    }
    let (root, files) = WHOLE.with(|whole| {
        whole
            .get_or_init(|| {
                let root = place::path("run");
                fs::create_dir_all(&root).expect("temporary files can be written");
                let dir = save(&Run::at(&root), &fresh(), 7, 2).expect("written");
                let entries = fs::read_dir(dir).expect("a folder");
                let mut files: Files = entries
                    .map(|entry| entry.expect("an entry"))
                    .map(|e| (e.file_name().to_string_lossy().into(), e.path()))
                    .map(|(name, path)| (name, fs::read(path).expect("a file")))
                    .collect();
                files.sort();
                (root, files)
            })
            .clone()
    });
    (Run::at(&root), files)
}
