//! Everything that a run needs to resume: the networks, the average of the generator, the
//! optimizers, and the number of images seen; of a CycleGAN also the same of the way back, and earlier
//! translations. The order of the data and the random numbers follow
//! from the seed and the images seen.
//!
//! A checkpoint is a folder `checkpoints/000000012800`, written under a temporary name, synced and
//! renamed: a numbered folder is complete. Its file `checksums` has a line for each other file,
//! `CRC-32C LENGTH NAME`, and the checksum of those lines; every reader compares them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::ModuleOptimizer;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Bytes, DType, Tensor};
use models::Sequential;
use serde::{Deserialize, Serialize};

use super::folder::Run;
pub use super::load_error::LoadError;
use super::load_error::VERSION;
use crate::file::{self, WriteError};
use crate::networks::pool::Pool;
use crate::networks::{Back, State};

/// Prefixes of folders that are being written or removed.
const WRITING: &str = ".writing-";
const LEAVING: &str = ".leaving-";
/// Prefix of what was set aside.
const DAMAGED: &str = "damaged-";
/// The file of checksums, and the longest one that is read.
const SUMS: &str = "checksums";
const LONGEST_SUMS: u64 = 1 << 16;
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

/// Checksum and length of each file, by name.
type Sums = BTreeMap<String, (u32, u64)>;

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
    let mut sums = String::new();
    let mut write = |file: &str, bytes: &[u8]| {
        sums += &format!("{:08x} {} {file}\n", crc32c::crc32c(bytes), bytes.len());
        file::write_new(&dir.path().join(file), bytes).map_err(name)
    };
    for (file, bytes) in files.into_iter().chain(spectral).chain(back) {
        write(file, &bytes.map_err(failed)?)?;
    }
    write(FACTS, &facts)?;
    let last = crc32c::crc32c(sums.as_bytes());
    sums += &format!("{last:08x}\n");
    file::write_new(&dir.path().join(SUMS), sums.as_bytes()).map_err(name)?;
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
        let sums = match sums(&path.join(SUMS)) {
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
        let bytes = checked(path, &sums, FACTS)?;
        let failed = |e| LoadError::Facts(path.join(FACTS), e);
        let Version { version } = serde_json::from_slice::<Version>(&bytes).map_err(failed)?;
        if version != VERSION {
            return Err(LoadError::Version { path: path.into(), got: version });
        }
        let facts: Facts = serde_json::from_slice(&bytes).map_err(failed)?;
        for name in sums.keys() {
            checked(path, &sums, name)?;
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
        let (g, d) = (self.network("g.bpk", fresh.g)?, self.network("d.bpk", fresh.d)?);
        let weights = Weights::of([&g, &d]);
        Ok(State {
            back: fresh.back.map(|back| self.back(back)).transpose()?,
            ema: self.network(EMA, fresh.ema)?,
            opt_g: self.optimizer("opt_g.bpk", fresh.opt_g, &weights)?,
            opt_d: self.optimizer("opt_d.bpk", fresh.opt_d, &weights)?,
            spectral: fresh
                .spectral
                .map(|fresh| self.network("spectral.bpk", fresh))
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
        all.map(|(name, fresh)| self.network(name, fresh)).collect()
    }

    /// The way back of a CycleGAN.
    fn back(&self, fresh: Back) -> Result<Back, LoadError> {
        let g = self.network("back_g.bpk", fresh.g)?;
        let d = self.network("back_d.bpk", fresh.d)?;
        let weights = Weights::of([&g, &d]);
        let mut pools = Vec::new();
        for (name, pool) in POOLS.into_iter().zip(fresh.pools) {
            pools.push(match pool.blank(self.facts.images) {
                Some(blank) => pool.refilled(self.network(name, blank)?),
                None => pool,
            });
        }
        let [to_b, to_a] = <[Pool; 2]>::try_from(pools).expect("two of two");
        Ok(Back {
            ema: self.network(BACK_EMA, fresh.ema)?,
            opt_g: self.optimizer("back_opt_g.bpk", fresh.opt_g, &weights)?,
            opt_d: self.optimizer("back_opt_d.bpk", fresh.opt_d, &weights)?,
            pools: [to_b, to_a],
            g,
            d,
        })
    }

    /// The bytes of a record, and its tensors without their bytes. burn panics on some tensors that
    /// no run writes, so those are refused here.
    fn record(&self, name: &str) -> Result<(Bytes, Vec<Described>), LoadError> {
        let failed = |what: String| LoadError::Record(self.path.join(name), what);
        let bytes = Bytes::from_bytes_vec(checked(&self.path, &self.sums, name)?).shared();
        let reader =
            burn_pack::Reader::from_bytes(bytes.clone()).map_err(|e| failed(e.to_string()))?;
        let mut ranks = HashMap::new();
        for (key, &value) in reader.scalars() {
            if let Some((id, "__rank")) = key.rsplit_once('.') {
                ranks.insert(id.to_string(), usize::try_from(value).ok());
            }
        }
        let mut all = Vec::new();
        for tensor in reader.into_tensors().map_err(|e| failed(e.to_string()))? {
            if tensor.dtype != DType::F32 {
                let what = format!("tensor {} is {:?}, not F32", tensor.name, tensor.dtype);
                return Err(failed(what));
            }
            let Some(id) = tensor.param_id else {
                return Err(failed(format!("tensor {} belongs to no parameter", tensor.name)));
            };
            let shape = tensor.shape.iter().copied().collect::<Vec<usize>>();
            if ranks.get(&id.to_string()).is_some_and(|&rank| rank != Some(shape.len())) {
                return Err(failed(format!("tensor {} has another rank than stated", tensor.name)));
            }
            all.push(Described { name: tensor.name, id, shape });
        }
        // A rank without a tensor would be that of no state at all.
        if let Some(id) = ranks.keys().find(|id| !all.iter().any(|t| t.id.to_string() == **id)) {
            return Err(failed(format!("parameter {id} has no tensors")));
        }
        Ok((bytes, all))
    }

    fn network<M: Module>(&self, name: &str, fresh: M) -> Result<M, LoadError> {
        let failed = |e: RecordError| LoadError::Record(self.path.join(name), e.to_string());
        let (bytes, _) = self.record(name)?;
        fresh.try_load_record(ModuleRecord::from_bytes(bytes).map_err(failed)?).map_err(failed)
    }

    fn optimizer(
        &self,
        name: &str,
        fresh: ModuleOptimizer,
        weights: &Weights,
    ) -> Result<ModuleOptimizer, LoadError> {
        let failed = |what: String| LoadError::Record(self.path.join(name), what);
        let (bytes, tensors) = self.record(name)?;
        for Described { name, id, shape } in &tensors {
            match weights.0.get(id) {
                Some(weight) if weight == shape => {}
                Some(weight) => {
                    return Err(failed(format!(
                        "tensor {name} is {shape:?}, its weight {weight:?}"
                    )));
                }
                None => return Err(failed(format!("tensor {name} belongs to no weight"))),
            }
        }
        let loaded = fresh.from_bytes(bytes).map_err(|e| failed(e.to_string()))?;
        // burn leaves out the state of a weight that it cannot put together.
        match loaded.to_record().len() == tensors.len() {
            true => Ok(loaded),
            false => Err(failed("the state of a weight is incomplete".into())),
        }
    }
}

/// A tensor of a record.
struct Described {
    name: String,
    id: u64,
    shape: Vec<usize>,
}

/// The shapes of weights by their numbers.
#[derive(Default)]
struct Weights(HashMap<u64, Vec<usize>>);

impl Weights {
    fn of(networks: [&Sequential; 2]) -> Weights {
        let mut weights = Weights::default();
        networks.into_iter().for_each(|network| network.visit(&mut weights));
        weights
    }
}

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.insert(param.id.val(), param.val().dims().to_vec());
    }
}

/// Reads a file of checksums.
fn sums(path: &Path) -> Result<Sums, LoadError> {
    let read = |e| LoadError::Read(path.into(), e);
    let mut text = String::new();
    let file = fs::File::open(path).map_err(read)?;
    file.take(LONGEST_SUMS).read_to_string(&mut text).map_err(read)?;
    let parse = || -> Option<Sums> {
        let lines = text.strip_suffix('\n')?;
        let (lines, last) = lines.split_at(lines.rfind('\n')? + 1);
        let sum = |digits: &str| u32::from_str_radix(digits, 16).ok();
        if last != format!("{:08x}", crc32c::crc32c(lines.as_bytes())) {
            return None;
        }
        lines
            .lines()
            .map(|line| {
                let mut parts = line.splitn(3, ' ');
                let (of, length) = (sum(parts.next()?)?, parts.next()?.parse().ok()?);
                let name = parts.next()?;
                // No path: only files of the checkpoint itself are read.
                let plain = !name.starts_with('.') && !name.contains(['/', '\\']);
                plain.then(|| (name.to_string(), (of, length)))
            })
            .collect()
    };
    parse().ok_or_else(|| LoadError::Changed(path.into(), "it is not what was written".into()))
}

/// The bytes of a file, if they are those that were written.
fn checked(dir: &Path, sums: &Sums, name: &str) -> Result<Vec<u8>, LoadError> {
    let path = dir.join(name);
    let Some(&(sum, length)) = sums.get(name) else {
        return Err(LoadError::Changed(dir.join(SUMS), format!("it lacks {name}")));
    };
    let read = |e| LoadError::Read(path.clone(), e);
    let file = fs::File::open(&path).map_err(read)?;
    let got = file.metadata().map_err(read)?.len();
    let mut bytes = Vec::new();
    if got == length {
        file.take(length).read_to_end(&mut bytes).map_err(read)?;
    }
    if bytes.len() as u64 != length {
        let what = format!("{length} bytes were written, there are {got}");
        return Err(LoadError::Changed(path, what));
    }
    match crc32c::crc32c(&bytes) == sum {
        true => Ok(bytes),
        false => Err(LoadError::Changed(path, "its checksum is wrong".into())),
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
    use burn_pack::{Tensor as Packed, Writer};

    fn fresh() -> State {
        let text = "size = 16\nngf = 2\nndf = 2\nnz = 4";
        let cfg = Config::new(None, &text.parse().unwrap()).unwrap();
        networks::fresh(&cfg, &cfg.device.open()).unwrap()
    }

    /// Replaces a file of a checkpoint and its checksum.
    fn replace(dir: &Path, name: &str, bytes: &[u8]) {
        fs::write(dir.join(name), bytes).unwrap();
        let mut all = sums(&dir.join(SUMS)).unwrap();
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
