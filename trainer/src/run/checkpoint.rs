//! Everything that a run needs to resume: the networks, the average of the generator, the
//! optimizers, and the number of images seen; of a CycleGAN also the same of the way back, and earlier
//! translations. The order of the data and the random numbers follow from the seed and the images
//! seen.
//!
//! A checkpoint is a folder `checkpoints/000000012800`, written under a temporary name, synced and
//! renamed: a numbered folder is complete. Its file `checksums` has a checksum of each other file;
//! every reader compares them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::RecordError;
use models::Sequential;
use serde::{Deserialize, Serialize};

use super::folder::Run;
pub use super::load_error::LoadError;
use super::load_error::VERSION;
use super::records::{Weights, network, optimizer};
use super::sums::{self, Sums};
use crate::file::{self, WriteError};
use crate::networks::pool::Pool;
use crate::networks::{Back, State};

/// Prefixes of folders that are being written or removed.
const WRITING: &str = ".writing-";
const LEAVING: &str = ".leaving-";
/// Prefix of what was set aside.
const DAMAGED: &str = "damaged-";
/// The file of facts.
const FACTS: &str = "state.json";
/// The averaged generators.
const EMA: &str = "ema.bpk";
const BACK_EMA: &str = "back_ema.bpk";
/// Earlier translations to the set B, and to the set A.
const POOLS: [&str; 2] = ["pool_b.bpk", "pool_a.bpk"];
/// How often a reader looks for the newest checkpoint while a run replaces it.
const TRIES: usize = 10;

/// What a checkpoint holds besides tensors.
#[derive(Serialize, Deserialize)]
struct Facts {
    version: u32,
    images: u64,
    /// Fingerprint of the data set.
    data: u64,
    retries: u32,
}

/// What every layout's facts have in common.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// A checkpoint whose files are those that were written.
pub struct Checkpoint {
    path: PathBuf,
    facts: Facts,
    sums: Sums,
}

/// The newest whole checkpoint of a run.
pub struct Newest {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Newer ones that are damaged, and what is wrong with them; the newest comes first.
    pub damaged: Vec<(PathBuf, LoadError)>,
}

/// Writes a checkpoint of `state` and removes all but the newest `keep`. `data` is the fingerprint
/// of the data set. Only the process that holds the run's [`Lock`](super::Lock) may call it.
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
    if path.symlink_metadata().is_ok() {
        set_aside(&path)?;
    }
    let dir = file::temporary_dir(&parent, WRITING).map_err(name)?;
    state.g.settle();
    state.d.settle();
    state.ema.settle();
    if let Some(back) = &state.back {
        [&back.g, &back.d, &back.ema].into_iter().for_each(Sequential::settle);
    }
    let facts = Facts { version: VERSION, images: state.images, data, retries: state.retries };
    let facts = serde_json::to_vec_pretty(&facts).expect("four numbers are JSON");
    let failed = |e: RecordError| name(io::Error::other(e.to_string()));
    let files = [
        ("g.bpk", state.g.clone().into_record().into_bytes()),
        ("d.bpk", state.d.clone().into_record().into_bytes()),
        (EMA, state.ema.clone().into_record().into_bytes()),
        ("opt_g.bpk", state.opt_g.into_bytes()),
        ("opt_d.bpk", state.opt_d.into_bytes()),
    ];
    let spectral = state.spectral.clone().map(|s| s.into_record().into_bytes());
    let spectral = spectral.map(|bytes| ("spectral.bpk", bytes));
    let back = state.back.iter().flat_map(|back| {
        let pools = POOLS.into_iter().zip(&back.pools);
        let pools =
            pools.filter_map(|(name, pool)| Some((name, pool.kept()?.into_record().into_bytes())));
        let networks = [
            ("back_g.bpk", back.g.clone().into_record().into_bytes()),
            ("back_d.bpk", back.d.clone().into_record().into_bytes()),
            (BACK_EMA, back.ema.clone().into_record().into_bytes()),
            ("back_opt_g.bpk", back.opt_g.into_bytes()),
            ("back_opt_d.bpk", back.opt_d.into_bytes()),
        ];
        networks.into_iter().chain(pools)
    });
    let mut to = sums::Writer::new(dir.path());
    for (file, bytes) in files.into_iter().chain(spectral).chain(back) {
        to.write(file, &bytes.map_err(failed)?).map_err(name)?;
    }
    to.write(FACTS, &facts).map_err(name)?;
    to.finish().map_err(name)?;
    file::sync_dir(dir.path()).map_err(name)?;
    let dir = dir.keep();
    fs::rename(&dir, &path).map_err(|error| {
        let _ = fs::remove_dir_all(&dir);
        name(error)
    })?;
    file::sync_dir(&parent).map_err(name)?;
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
fn list(run: &Run) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(run.checkpoints())
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| {
            let name = e.file_name();
            name.len() == 12 && name.to_string_lossy().bytes().all(|b| b.is_ascii_digit())
        })
        .map(|e| e.path())
        .filter(|path| path.is_dir())
        .collect();
    all.sort();
    all
}

/// The newest checkpoint of `run` that is whole.
///
/// # Errors
/// [`LoadError::None`] if the run has none yet; what is wrong with the newest if none is whole.
pub fn newest(run: &Run) -> Result<Newest, LoadError> {
    let mut found = look(run);
    for _ in 1..TRIES {
        match found {
            // A run that is training has just replaced the one that was being read.
            Ok(Err(_)) => found = look(run),
            Ok(Ok(newest)) => return Ok(newest),
            Err(error) => return Err(error),
        }
    }
    found?
}

/// The inner error is of a checkpoint that is gone.
fn look(run: &Run) -> Result<Result<Newest, LoadError>, LoadError> {
    let mut damaged = Vec::new();
    for path in list(run).into_iter().rev() {
        match Checkpoint::open(&path) {
            Ok(checkpoint) => return Ok(Ok(Newest { checkpoint, damaged })),
            Err(error) if !path.exists() => return Ok(Err(error)),
            Err(error) if error.is_damage() => damaged.push((path, error)),
            Err(error) => return Err(error),
        }
    }
    let first = damaged.into_iter().next().map(|(_, error)| error);
    Err(first.unwrap_or_else(|| LoadError::None(run.root().into())))
}

/// Renames something in the folder of checkpoints that is in the way of a new one; returns its new
/// path.
///
/// # Errors
/// [`WriteError`] names it.
pub fn set_aside(path: &Path) -> Result<PathBuf, WriteError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut to = path.with_file_name(format!("{DAMAGED}{name}"));
    let mut number = 1;
    while to.symlink_metadata().is_ok() {
        number += 1;
        to = path.with_file_name(format!("{DAMAGED}{name}-{number}"));
    }
    match fs::rename(path, &to) {
        Ok(()) => Ok(to),
        Err(error) => Err(WriteError { path: path.into(), error }),
    }
}

impl Checkpoint {
    /// Reads the facts and compares every file with its checksum.
    ///
    /// # Errors
    /// [`LoadError`] names the file.
    pub fn open(path: &Path) -> Result<Checkpoint, LoadError> {
        let sums = match Sums::read(path) {
            Err(LoadError::Read(missing, e)) if e.kind() == ErrorKind::NotFound => {
                // Layout 1 had none.
                let facts = fs::read(path.join(FACTS)).unwrap_or_default();
                let version: Option<Version> = serde_json::from_slice(&facts).ok();
                match version.filter(|Version { version }| *version != VERSION) {
                    Some(Version { version: got }) => {
                        return Err(LoadError::Version { path: path.into(), got });
                    }
                    None => return Err(LoadError::Read(missing, e)),
                }
            }
            sums => sums?,
        };
        let bytes = sums.bytes(FACTS)?;
        let failed = |e| LoadError::Facts(path.join(FACTS), e);
        let Version { version } = serde_json::from_slice::<Version>(&bytes).map_err(failed)?;
        if version != VERSION {
            return Err(LoadError::Version { path: path.into(), got: version });
        }
        let facts: Facts = serde_json::from_slice(&bytes).map_err(failed)?;
        for name in sums.files.keys() {
            sums.bytes(name)?;
        }
        Ok(Checkpoint { path: path.into(), facts, sums })
    }

    /// Images that were seen.
    pub fn images(&self) -> u64 {
        self.facts.images
    }

    /// The state of a run; `fresh` has the networks and optimizers of the run's settings. `data` is
    /// the fingerprint of the data set; `None` does not compare it.
    ///
    /// # Errors
    /// [`LoadError`] names the file.
    pub fn state(&self, fresh: State, data: Option<u64>) -> Result<State, LoadError> {
        if data.is_some_and(|data| data != self.facts.data) {
            return Err(LoadError::Data { path: self.path.clone() });
        }
        let (g, d) =
            (network(&self.sums, "g.bpk", fresh.g)?, network(&self.sums, "d.bpk", fresh.d)?);
        let weights = Weights::of([&g, &d]);
        Ok(State {
            back: fresh.back.map(|back| self.back(back)).transpose()?,
            ema: network(&self.sums, EMA, fresh.ema)?,
            opt_g: optimizer(&self.sums, "opt_g.bpk", fresh.opt_g, &weights)?,
            opt_d: optimizer(&self.sums, "opt_d.bpk", fresh.opt_d, &weights)?,
            spectral: fresh
                .spectral
                .map(|fresh| network(&self.sums, "spectral.bpk", fresh))
                .transpose()?,
            beta2: fresh.beta2,
            images: self.facts.images,
            retries: self.facts.retries,
            g,
            d,
        })
    }

    /// The averaged generators, in the order of [`State::averages`].
    ///
    /// # Errors
    /// [`LoadError`] names the file.
    pub fn averages(&self, fresh: State) -> Result<Vec<Sequential>, LoadError> {
        let back = fresh.back.map(|back| (BACK_EMA, back.ema));
        let all = std::iter::once((EMA, fresh.ema)).chain(back);
        all.map(|(name, fresh)| network(&self.sums, name, fresh)).collect()
    }

    /// The way back of a CycleGAN.
    fn back(&self, fresh: Back) -> Result<Back, LoadError> {
        let g = network(&self.sums, "back_g.bpk", fresh.g)?;
        let d = network(&self.sums, "back_d.bpk", fresh.d)?;
        let weights = Weights::of([&g, &d]);
        let mut pools = Vec::new();
        for (name, pool) in POOLS.into_iter().zip(fresh.pools) {
            pools.push(match pool.blank(self.facts.images) {
                Some(blank) => pool.refilled(network(&self.sums, name, blank)?),
                None => pool,
            });
        }
        let [to_b, to_a] = <[Pool; 2]>::try_from(pools).expect("two of two");
        Ok(Back {
            ema: network(&self.sums, BACK_EMA, fresh.ema)?,
            opt_g: optimizer(&self.sums, "back_opt_g.bpk", fresh.opt_g, &weights)?,
            opt_d: optimizer(&self.sums, "back_opt_d.bpk", fresh.opt_d, &weights)?,
            pools: [to_b, to_a],
            g,
            d,
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::networks;
    use crate::run::sums::SUMS;
    use burn::tensor::{Bytes, DType};
    use burn_pack::{Tensor as Packed, Writer};

    fn fresh() -> State {
        let text = "size = 16\nngf = 2\nndf = 2\nnz = 4";
        let cfg = Config::new(None, &text.parse().unwrap()).unwrap();
        networks::fresh(&cfg, &cfg.device.open()).unwrap()
    }

    /// Replaces a file of a checkpoint and its checksum.
    fn replace(dir: &Path, name: &str, bytes: &[u8]) {
        fs::write(dir.join(name), bytes).unwrap();
        let mut all = Sums::read(dir).unwrap().files;
        all.insert(name.into(), (crc32c::crc32c(bytes), bytes.len() as u64));
        let lines = all.iter().map(|(name, (sum, length))| format!("{sum:08x} {length} {name}\n"));
        let text: String = lines.collect();
        let last = crc32c::crc32c(text.as_bytes());
        fs::write(dir.join(SUMS), format!("{text}{last:08x}\n")).unwrap();
    }

    fn pack(tensors: Vec<Packed>) -> Vec<u8> {
        Writer::new(tensors).into_bytes().unwrap().to_vec()
    }

    fn tensors(dir: &Path, name: &str) -> Vec<Packed> {
        let bytes = Bytes::from_bytes_vec(fs::read(dir.join(name)).unwrap());
        burn_pack::Reader::from_bytes(bytes).unwrap().into_tensors().unwrap()
    }

    #[test]
    fn every_changed_byte_is_noticed_and_named() {
        let root = tempfile::tempdir().unwrap();
        let run = Run::at(root.path());
        let dir = save(&run, &fresh(), 7, 2).unwrap();
        assert!(Checkpoint::open(&dir).is_ok());
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let whole = fs::read(&path).unwrap();
            let step = whole.len() / 60 + 1;
            for at in (0..whole.len()).step_by(step) {
                let mut bytes = whole.clone();
                bytes[at] ^= 0x10;
                fs::write(&path, bytes).unwrap();
                let Err(error) = Checkpoint::open(&dir) else { panic!("byte {at} of {path:?}") };
                let name = path.file_name().unwrap().to_str().unwrap();
                assert!(error.is_damage() && error.to_string().contains(name), "{error}");
            }
            for bytes in [&whole[..whole.len() - 1], &[&whole[..], &[0]].concat()[..], &[]] {
                fs::write(&path, bytes).unwrap();
                assert!(Checkpoint::open(&dir).is_err_and(|e| e.is_damage()), "{path:?}");
            }
            fs::write(&path, whole).unwrap();
        }
        let all = newest(&run).unwrap();
        assert!(all.damaged.is_empty());
        assert!(matches!(
            all.checkpoint.state(fresh(), Some(8)),
            Err(LoadError::Data { path }) if path == dir
        ));
    }

    #[test]
    fn tensors_that_burn_cannot_load_are_errors() {
        let root = tempfile::tempdir().unwrap();
        let dir = save(&Run::at(root.path()), &fresh(), 7, 2).unwrap();
        let load = || {
            let state = Checkpoint::open(&dir).and_then(|c| c.state(fresh(), None));
            state.map(|_| ()).map_err(|e| e.to_string())
        };
        load().unwrap();
        let tensor = |id, shape: &[usize], kind: DType| {
            let bytes =
                Bytes::from_bytes_vec(vec![0; shape.iter().product::<usize>() * kind.size()]);
            Packed::new("1.moment_1".into(), kind, shape.to_vec(), id, bytes)
        };
        let whole = tensors(&dir, "g.bpk");
        let first = whole[0].clone();
        let with = |change: &dyn Fn(&mut Packed)| {
            let mut all = whole.clone();
            change(&mut all[0]);
            pack(all)
        };
        let doubled = with(&|t| {
            let bytes = Bytes::from_bytes_vec(vec![0; 2 * t.byte_len()]);
            *t = Packed::new(t.name.clone(), DType::F64, t.shape.clone(), t.param_id, bytes);
        });
        let cases = [
            ("g.bpk", with(&|t| t.param_id = None), "belongs to no parameter"),
            ("g.bpk", doubled, "is F64, not F32"),
            ("g.bpk", pack(whole[1..].to_vec()), "Missing tensors"),
            ("opt_g.bpk", pack(vec![tensor(None, &[2], DType::F32)]), "belongs to no parameter"),
            ("opt_g.bpk", pack(vec![tensor(Some(1), &[2], DType::F32)]), "belongs to no weight"),
            ("opt_g.bpk", pack(vec![tensor(first.param_id, &[2], DType::F32)]), "its weight"),
            ("opt_d.bpk", b"rubbish".to_vec(), "opt_d.bpk"),
        ];
        for (name, bytes, want) in cases {
            let before = fs::read(dir.join(name)).unwrap();
            replace(&dir, name, &bytes);
            let error = load().unwrap_err();
            assert!(error.contains(name) && error.contains(want), "{error}: {want}");
            replace(&dir, name, &before);
        }
        // No file beside the checkpoint is read.
        fs::write(root.path().join("secret"), "x").unwrap();
        replace(&dir, "../../secret", b"x");
        let error = Checkpoint::open(&dir).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(SUMS), "{error}");
    }
}
