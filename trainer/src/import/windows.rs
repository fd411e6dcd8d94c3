//! Strides and paddings, which a state dict does not have: those of networks that are known by
//! their whole shape, what the user says, or the only guess that ends in a usual size.

use super::error::ImportError;
use super::order::{Link, Role};

/// The window of one convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub stride: usize,
    pub padding: usize,
    pub output_padding: usize,
    /// Whether pixels are repeated twice before it.
    pub upsample: bool,
}

/// The windows of a network's convolutions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Windows {
    pub all: Vec<Window>,
    /// Where they are from.
    pub source: String,
}

/// What the user says about windows.
#[derive(Clone, Debug, Default)]
pub(super) struct Said<'a> {
    pub size: Option<usize>,
    pub strides: &'a [usize],
    pub paddings: &'a [usize],
    pub output_paddings: &'a [usize],
}

/// Sizes of images that are usual.
const USUAL: [usize; 9] = [16, 28, 32, 48, 64, 96, 128, 256, 512];

const fn window(stride: usize, padding: usize, output_padding: usize) -> Window {
    Window { stride, padding, output_padding, upsample: false }
}

/// Networks that are known by the kernels of their transposed convolutions from one pixel.
const KNOWN: [(&[usize], &[Window], &str); 4] = [
    // deeplearning.ai's course on GANs, course 1, week 2: 1, 3, 6, 13, 28.
    (
        &[3, 4, 3, 4],
        &[window(2, 0, 0), window(1, 0, 0), window(2, 0, 0), window(2, 0, 0)],
        "the DCGAN of deeplearning.ai's course on GANs",
    ),
    (
        &[4, 4, 4, 4, 1],
        &[window(1, 0, 0), window(2, 1, 0), window(2, 1, 0), window(2, 1, 0), window(1, 2, 0)],
        "the DCGAN tutorial with a last kernel of 1 and padding 2, for 28 x 28 digits",
    ),
    (
        &[4, 3, 4, 4],
        &[window(1, 0, 0), window(2, 1, 0), window(2, 1, 0), window(2, 1, 0)],
        "a DCGAN for 28 x 28 digits (4, 7, 14, 28)",
    ),
    (
        &[7, 4, 4],
        &[window(1, 0, 0), window(2, 1, 0), window(2, 1, 0)],
        "a DCGAN for 28 x 28 digits (7, 14, 28)",
    ),
];

/// The size after a convolution; `None` if it does not fit.
fn after(size: usize, link: &Link, w: Window) -> Option<usize> {
    let size = if w.upsample { 2 * size } else { size };
    let k = link.kernel;
    let next = match link.role {
        Role::Transposed => {
            ((size - 1) * w.stride + k + w.output_padding).checked_sub(2 * w.padding)?
        }
        _ => (size + 2 * w.padding).checked_sub(k)? / w.stride + 1,
    };
    (next > 0 && next <= 4096).then_some(next)
}

fn size(start: usize, links: &[Link], windows: &[Window]) -> Option<usize> {
    links.iter().zip(windows).try_fold(start, |size, (link, w)| after(size, link, *w))
}

/// The windows of `links`, which begin at an image of `start` x `start` pixels, 1 for the latent.
/// `gaps` counts, for each of them, the modules without weights before it, if names say so.
///
/// # Errors
/// [`ImportError::Unclear`] says what would decide.
pub(super) fn find(
    links: &[Link],
    start: usize,
    gaps: &[Option<usize>],
    said: &Said<'_>,
) -> Result<Windows, ImportError> {
    let kernels: Vec<usize> = links.iter().map(|l| l.kernel).collect();
    if links.is_empty() {
        return Ok(Windows { all: vec![], source: "no convolutions".into() });
    }
    if !said.strides.is_empty() || !said.paddings.is_empty() || !said.output_paddings.is_empty() {
        return explicit(links, start, said);
    }
    let transposed = links.iter().all(|l| l.role == Role::Transposed);
    let wanted = |windows: &[Window]| {
        let size = size(start, links, windows);
        size.is_some_and(|size| said.size.is_none_or(|want| want == size))
    };
    if transposed && start == 1 {
        if kernels.iter().all(|k| *k == 4) {
            let mut all = vec![window(2, 1, 0); links.len()];
            all[0] = window(1, 0, 0);
            if wanted(&all) {
                return Ok(Windows { all, source: "the DCGAN tutorial".into() });
            }
        }
        for (known, windows, name) in KNOWN {
            if known == &kernels[..] && wanted(windows) {
                return Ok(Windows { all: windows.to_vec(), source: name.into() });
            }
        }
    }
    search(links, start, gaps, said)
}

/// A list of one number for all, or one for each.
fn each(values: &[usize], n: usize, what: &str) -> Result<Option<Vec<usize>>, ImportError> {
    match values.len() {
        0 => Ok(None),
        1 => Ok(Some(vec![values[0]; n])),
        len if len == n => Ok(Some(values.to_vec())),
        len => Err(ImportError::Unclear(format!(
            "{what} has {len} numbers for {n} convolutions: give one for each, or one for all"
        ))),
    }
}

fn explicit(links: &[Link], start: usize, said: &Said<'_>) -> Result<Windows, ImportError> {
    let n = links.len();
    let strides = each(said.strides, n, "--strides")?;
    let paddings = each(said.paddings, n, "--paddings")?;
    let more = each(said.output_paddings, n, "--output-paddings")?;
    let of = |i: usize| {
        let link = &links[i];
        let from_pixel = start == 1 && i == 0;
        let back = link.role == Role::Transposed;
        let usual = if from_pixel || !back { 1 } else { 2 };
        let stride = strides.as_ref().map_or(usual, |s| s[i]);
        let output_padding = more.as_ref().map_or(0, |m| m[i]);
        // The padding that makes the output a multiple of the input.
        let even = (link.kernel + output_padding).saturating_sub(stride) / 2;
        let padding = if from_pixel { 0 } else { even };
        let padding = paddings.as_ref().map_or(padding, |p| p[i]);
        Window { stride, padding, output_padding, upsample: false }
    };
    let all: Vec<Window> = (0..n).map(of).collect();
    if all.iter().any(|w| w.stride == 0 || w.stride > 64) {
        return Err(ImportError::Unclear("--strides: numbers from 1 to 64".into()));
    }
    let size = size(start, links, &all);
    match (size, said.size) {
        (None, _) => Err(ImportError::Unclear(
            "with these strides and paddings nothing is left of the image".into(),
        )),
        (Some(size), Some(want)) if size != want => Err(ImportError::Unclear(format!(
            "with these strides and paddings the image has {size} rows, not {want}"
        ))),
        _ => Ok(Windows { all, source: "given".into() }),
    }
}

/// Windows that a kernel often has, the most usual first; `all` adds rare ones.
fn usual(link: &Link, from_pixel: bool, all: bool) -> Vec<Window> {
    let k = link.kernel;
    if link.role == Role::Conv {
        return match k % 2 {
            1 => vec![window(1, k / 2, 0)],
            _ => vec![window(1, k / 2, 0), window(1, (k - 1) / 2, 0)],
        };
    }
    if from_pixel {
        return vec![window(1, 0, 0)];
    }
    let (mut often, rare) = match k {
        1 => (vec![window(1, 0, 0)], vec![]),
        2 => (vec![window(2, 0, 0)], vec![]),
        3 => (vec![window(2, 1, 1), window(1, 1, 0)], vec![window(2, 0, 0), window(2, 1, 0)]),
        4 => (vec![window(2, 1, 0)], vec![window(1, 0, 0), window(2, 0, 0)]),
        k if k % 2 == 0 => {
            (vec![window(2, (k - 2) / 2, 0)], vec![window(4, k.saturating_sub(4) / 2, 0)])
        }
        k => (vec![window(2, k / 2, 1), window(1, k / 2, 0)], vec![window(2, 0, 0)]),
    };
    if all {
        often.extend(rare);
    }
    often
}

/// Guesses: kernels of one size have one window, but for the first and the last layer.
fn search(
    links: &[Link],
    start: usize,
    gaps: &[Option<usize>],
    said: &Said<'_>,
) -> Result<Windows, ImportError> {
    let n = links.len();
    let mut guesses: Vec<(usize, Vec<Window>)> = vec![(0, vec![])];
    for (i, link) in links.iter().enumerate() {
        let choices = usual(link, start == 1 && i == 0, said.size.is_some());
        let mut more = Vec::new();
        for (rank, windows) in &guesses {
            for (worse, choice) in choices.iter().enumerate() {
                // One kernel, one window.
                let same = |j: &usize| {
                    (links[*j].kernel, links[*j].role) == (link.kernel, link.role)
                        && !(start == 1 && *j == 0)
                };
                let before = (0..i).find(same).map(|j| windows[j]);
                let free = i + 1 == n || before.is_none_or(|w| w == *choice);
                if !free {
                    continue;
                }
                let mut windows = windows.clone();
                windows.push(*choice);
                more.push((rank + worse, windows));
            }
        }
        more.sort_by_key(|(rank, _)| *rank);
        more.truncate(256);
        guesses = more;
    }
    // Pixels are repeated before convolutions: names leave gaps, or the size says how often.
    let convs: Vec<usize> = (0..n).filter(|i| links[*i].role == Role::Conv).collect();
    let known: Option<Vec<usize>> = convs.iter().map(|i| gaps.get(*i).copied().flatten()).collect();
    let mut all: Vec<(usize, Vec<Window>)> = Vec::new();
    for (rank, windows) in guesses {
        let counts: Vec<usize> = match (&known, said.size) {
            _ if convs.is_empty() => vec![0],
            (_, Some(_)) | (None, None) => (0..=convs.len()).collect(),
            (Some(_), None) => vec![usize::MAX],
        };
        for count in counts {
            let mut windows = windows.clone();
            for (place, i) in convs.iter().enumerate() {
                let gap = || known.as_ref().is_some_and(|gaps| gaps[place] >= 2);
                windows[*i].upsample = if count == usize::MAX { gap() } else { place < count };
            }
            all.push((rank, windows));
        }
    }
    let sized = all.into_iter().filter_map(|(rank, windows)| {
        let size = size(start, links, &windows)?;
        Some((size, rank, windows))
    });
    let mut sized: Vec<_> = sized.collect();
    sized.sort_by_key(|(_, rank, _)| *rank);
    let fits = |size: usize| match said.size {
        Some(want) => size == want,
        None => USUAL.contains(&size),
    };
    let fitting: Vec<_> = sized.iter().filter(|(size, ..)| fits(*size)).collect();
    let list = |all: &[&(usize, usize, Vec<Window>)]| {
        let one = |(size, _, windows): &&(usize, usize, Vec<Window>)| {
            let strides: Vec<String> = windows.iter().map(|w| w.stride.to_string()).collect();
            let paddings: Vec<String> = windows.iter().map(|w| w.padding.to_string()).collect();
            format!(
                "{size} x {size} (strides {}, paddings {})",
                strides.join(","),
                paddings.join(",")
            )
        };
        all.iter().take(4).map(one).collect::<Vec<_>>().join(", ")
    };
    let decide = "decide with --size N, --strides and --paddings, or --layers FILE";
    match (&fitting[..], said.size) {
        ([one], _) => Ok(Windows { all: one.2.clone(), source: "a guess".into() }),
        ([one, other, ..], Some(_)) if one.1 < other.1 => {
            Ok(Windows { all: one.2.clone(), source: "the most usual guess of that size".into() })
        }
        ([], _) => {
            let some: Vec<_> = sized.iter().collect();
            Err(ImportError::Unclear(format!(
                "strides and paddings are not in the file, and no guess ends in {}; it could be {}: \
                 {decide}",
                match said.size {
                    Some(size) => format!("{size} x {size}"),
                    None => "a usual size".into(),
                },
                list(&some)
            )))
        }
        _ => Err(ImportError::Unclear(format!(
            "strides and paddings are not in the file, and several guesses fit: {}: {decide}",
            list(&fitting)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(role: Role, kernels: &[usize]) -> Vec<Link> {
        let link = |k: &usize| Link { part: 0, role, inputs: 1, out: 1, kernel: *k };
        kernels.iter().map(link).collect()
    }

    fn found(kernels: &[usize], start: usize, said: &Said<'_>) -> Result<usize, String> {
        let links = links(Role::Transposed, kernels);
        let gaps = vec![None; links.len()];
        let windows = find(&links, start, &gaps, said).map_err(|e| e.to_string())?;
        Ok(size(start, &links, &windows.all).unwrap())
    }

    #[test]
    fn known_networks_have_their_sizes() {
        let none = Said::default();
        assert_eq!(found(&[4, 4, 4, 4, 4], 1, &none), Ok(64));
        assert_eq!(found(&[3, 4, 3, 4], 1, &none), Ok(28));
        assert_eq!(found(&[4, 4, 4, 4, 1], 1, &none), Ok(28));
        assert_eq!(found(&[4, 3, 4, 4], 1, &none), Ok(28));
        assert_eq!(found(&[7, 4, 4], 1, &none), Ok(28));
        assert_eq!(found(&[4, 4], 7, &none), Ok(28));
    }

    #[test]
    fn what_is_not_clear_is_a_question() {
        let error = found(&[4, 1], 1, &Said::default()).unwrap_err();
        assert!(error.contains("4 x 4") && error.contains("--size N"), "{error}");
        let error = found(&[4, 3, 3, 3], 1, &Said::default()).unwrap_err();
        assert!(error.contains("several guesses fit"), "{error}");
        let size = Said { size: Some(8), ..Said::default() };
        assert_eq!(found(&[4, 5], 1, &size), Ok(8));
        let size = Said { size: Some(1000), ..Said::default() };
        let error = found(&[4, 5], 1, &size).unwrap_err();
        assert!(error.contains("no guess ends in 1000 x 1000"), "{error}");
    }

    #[test]
    fn what_is_given_is_used() {
        let given = Said { strides: &[1, 1], paddings: &[0, 2], ..Said::default() };
        let error = found(&[4, 1], 1, &given).unwrap_err();
        assert!(error.contains("nothing is left"), "{error}");
        let given = Said { strides: &[2], paddings: &[0], ..Said::default() };
        assert_eq!(found(&[3, 3], 1, &given), Ok(7));
        let given = Said { strides: &[1, 2, 2], ..Said::default() };
        let error = found(&[4, 4], 1, &given).unwrap_err();
        assert!(error.contains("3 numbers for 2 convolutions"), "{error}");
        let given = Said { size: Some(9), ..given };
        let error = found(&[4, 4, 4], 1, &given).unwrap_err();
        assert!(error.contains("the image has 16 rows, not 9"), "{error}");
    }

    #[test]
    fn upsampling_by_gaps_or_size() {
        let links = links(Role::Conv, &[3, 3, 3]);
        let gaps = [Some(2), Some(2), Some(1)];
        let windows = find(&links, 8, &gaps, &Said::default()).unwrap();
        assert_eq!(size(8, &links, &windows.all), Some(32));
        let error = find(&links, 8, &[None; 3], &Said::default()).unwrap_err().to_string();
        assert!(error.contains("16 x 16") && error.contains("64 x 64"), "{error}");
        let said = Said { size: Some(32), ..Said::default() };
        let windows = find(&links, 8, &[None; 3], &said).unwrap();
        assert_eq!(windows.all.iter().map(|w| w.upsample).collect::<Vec<_>>(), [true, true, false]);
    }
}
