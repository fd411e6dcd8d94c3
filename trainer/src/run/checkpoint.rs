//! Everything that a run needs to resume: both networks, the average of the generator, both
//! optimizers, and the number of images seen. The order of the data and the random numbers follow
//! from the seed and the images seen.
//!
//! A checkpoint is a folder `checkpoints/000000012800`, written under a temporary name, synced and
//! renamed: a numbered folder is complete.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::{ModuleRecord, RecordError};
use models::Sequential;
use serde::{Deserialize, Serialize};

use super::folder::Run;
use crate::file::{self, WriteError};
use crate::networks::State;

/// Version of this layout; other versions are refused.
const VERSION: u32 = 1;
/// Prefixes of folders that are being written or removed.
const WRITING: &str = ".writing-";
const LEAVING: &str = ".leaving-";

/// What a checkpoint holds besides tensors.
#[derive(Serialize, Deserialize)]
struct Facts {
    version: u32,
    images: u64,
    /// Fingerprint of the data set.
    data: u64,
    #[serde(default)]
    retries: u32,
}

/// Why a checkpoint cannot be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The run in this folder has no checkpoint yet.
    None(PathBuf),
    /// A file that cannot be read.
    Read(PathBuf, io::Error),
    /// A record that cannot be read or belongs to other networks.
    Record(PathBuf, String),
    /// Damaged JSON.
    Facts(PathBuf, serde_json::Error),
    /// Written by another version of the program.
    Version {
        /// The checkpoint.
        path: PathBuf,
        /// Its version.
        got: u32,
    },
    /// Trained on other data.
    Data {
        /// The checkpoint.
        path: PathBuf,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::None(root) => write!(f, "{} holds no checkpoint yet", root.display()),
            LoadError::Read(path, _) => write!(f, "cannot read {}", path.display()),
            LoadError::Record(path, what) => write!(f, "{}: {what}", path.display()),
            LoadError::Facts(path, _) => write!(f, "{} is damaged", path.display()),
            LoadError::Version { path, got } => {
                write!(
                    f,
                    "{} has layout {got}, this program reads layout {VERSION}",
                    path.display()
                )
            }
            LoadError::Data { path } => write!(
                f,
                "{} was trained on other images than the data now holds: \
                 restore the data, or start a new run",
                path.display()
            ),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LoadError::Read(_, error) => Some(error),
            LoadError::Facts(_, error) => Some(error),
            LoadError::None(_)
            | LoadError::Record(..)
            | LoadError::Version { .. }
            | LoadError::Data { .. } => None,
        }
    }
}

/// Writes a checkpoint of `state` and removes all but the newest `keep`. `data` is the fingerprint
/// of the data set.
///
/// # Errors
/// [`WriteError`] names the file; earlier checkpoints are kept.
pub fn save(run: &Run, state: &State, data: u64, keep: usize) -> Result<PathBuf, WriteError> {
    let parent = run.checkpoints();
    file::create_dir(&parent)?;
    sweep(&parent);
    let path = parent.join(format!("{:012}", state.images));
    if path.is_dir() {
        return Ok(path);
    }
    let name = |error: io::Error| WriteError { path: path.clone(), error };
    let dir = tempfile::Builder::new().prefix(WRITING).tempdir_in(&parent).map_err(name)?;
    state.g.settle();
    state.d.settle();
    state.ema.settle();
    let facts = Facts { version: VERSION, images: state.images, data, retries: state.retries };
    let facts = serde_json::to_vec_pretty(&facts).expect("three numbers are JSON");
    let failed = |e: RecordError| name(io::Error::other(e.to_string()));
    let files = [
        ("g.bpk", state.g.clone().into_record().into_bytes()),
        ("d.bpk", state.d.clone().into_record().into_bytes()),
        ("ema.bpk", state.ema.clone().into_record().into_bytes()),
        ("opt_g.bpk", state.opt_g.into_bytes()),
        ("opt_d.bpk", state.opt_d.into_bytes()),
    ];
    let spectral = state.spectral.clone().map(|s| s.into_record().into_bytes());
    let spectral = spectral.map(|bytes| ("spectral.bpk", bytes));
    for (file, bytes) in files.into_iter().chain(spectral) {
        file::write(&dir.path().join(file), &bytes.map_err(failed)?)?;
    }
    file::write(&dir.path().join("state.json"), &facts)?;
    sync_dir(dir.path()).map_err(name)?;
    let dir = dir.keep();
    fs::rename(&dir, &path).map_err(|error| {
        let _ = fs::remove_dir_all(&dir);
        name(error)
    })?;
    sync_dir(&parent).map_err(name)?;
    let all = list(run);
    for old in &all[..all.len().saturating_sub(keep)] {
        // Renamed first, since a numbered folder must be complete. A failure is not fatal: the next
        // save tries again.
        let name = old.file_name().unwrap_or_default().to_string_lossy();
        let leaving = parent.join(format!("{LEAVING}{name}"));
        if fs::rename(old, &leaving).is_ok() {
            let _ = fs::remove_dir_all(&leaving);
        }
    }
    Ok(path)
}

/// The run's checkpoints, oldest first.
pub fn list(run: &Run) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(run.checkpoints())
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| {
            let name = e.file_name();
            name.len() == 12 && name.to_string_lossy().bytes().all(|b| b.is_ascii_digit())
        })
        .map(|e| e.path())
        .collect();
    all.sort();
    all
}

/// The run's newest checkpoint.
///
/// # Errors
/// [`LoadError::None`] if it has none yet.
pub fn latest(run: &Run) -> Result<PathBuf, LoadError> {
    list(run).pop().ok_or_else(|| LoadError::None(run.root().into()))
}

/// Images that the newest checkpoint has seen, by its name.
pub fn newest(run: &Run) -> Option<u64> {
    list(run).pop()?.file_name()?.to_str()?.parse().ok()
}

/// Loads the checkpoint `path` into `fresh`, the networks and optimizers of the run's settings.
/// `data` is the fingerprint of the data set; `None` does not compare it.
///
/// # Errors
/// [`LoadError`] names the file.
pub fn load(path: &Path, fresh: State, data: Option<u64>) -> Result<State, LoadError> {
    let facts = path.join("state.json");
    let bytes = fs::read(&facts).map_err(|e| LoadError::Read(facts.clone(), e))?;
    let facts: Facts = serde_json::from_slice(&bytes).map_err(|e| LoadError::Facts(facts, e))?;
    if facts.version != VERSION {
        return Err(LoadError::Version { path: path.into(), got: facts.version });
    }
    if data.is_some_and(|data| data != facts.data) {
        return Err(LoadError::Data { path: path.into() });
    }
    Ok(State {
        g: network(&path.join("g.bpk"), fresh.g)?,
        d: network(&path.join("d.bpk"), fresh.d)?,
        ema: network(&path.join("ema.bpk"), fresh.ema)?,
        opt_g: optimizer(&path.join("opt_g.bpk"), fresh.opt_g)?,
        opt_d: optimizer(&path.join("opt_d.bpk"), fresh.opt_d)?,
        spectral: fresh
            .spectral
            .map(|fresh| network(&path.join("spectral.bpk"), fresh))
            .transpose()?,
        beta2: fresh.beta2,
        images: facts.images,
        retries: facts.retries,
    })
}

/// The averaged generator alone, and the images seen.
///
/// # Errors
/// [`LoadError`] names the file.
pub fn load_average(path: &Path, fresh: Sequential) -> Result<(Sequential, u64), LoadError> {
    let facts = path.join("state.json");
    let bytes = fs::read(&facts).map_err(|e| LoadError::Read(facts.clone(), e))?;
    let facts: Facts = serde_json::from_slice(&bytes).map_err(|e| LoadError::Facts(facts, e))?;
    Ok((network(&path.join("ema.bpk"), fresh)?, facts.images))
}

fn network<M: Module>(path: &Path, fresh: M) -> Result<M, LoadError> {
    let record = |e: RecordError| LoadError::Record(path.into(), e.to_string());
    // burn reports a missing file as text only, so open it first.
    File::open(path).map_err(|e| LoadError::Read(path.into(), e))?;
    fresh.try_load_record(ModuleRecord::load(path).map_err(record)?).map_err(record)
}

fn optimizer(path: &Path, fresh: ModuleOptimizer) -> Result<ModuleOptimizer, LoadError> {
    File::open(path).map_err(|e| LoadError::Read(path.into(), e))?;
    fresh.load(path).map_err(|e| LoadError::Record(path.into(), e.to_string()))
}

/// Removes the folders that a killed process left half-written or half-removed.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(WRITING) || name.starts_with(LEAVING) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Syncs the entries of a folder, so that a rename survives a power cut.
fn sync_dir(path: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(path)?.sync_all(),
        false => Ok(()),
    }
}
