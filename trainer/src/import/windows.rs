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
pub(super) struct Given<'a> {
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
    given: &Given<'_>,
) -> Result<Windows, ImportError> {
    let kernels: Vec<usize> = links.iter().map(|l| l.kernel).collect();
    if links.is_empty() {
        return Ok(Windows { all: vec![], source: "no convolutions".into() });
    }
    if !given.strides.is_empty() || !given.paddings.is_empty() || !given.output_paddings.is_empty()
    {
        return explicit(links, start, given);
    }
    let transposed = links.iter().all(|l| l.role == Role::Transposed);
    let wanted = |windows: &[Window]| {
        let size = size(start, links, windows);
        size.is_some_and(|size| given.size.is_none_or(|want| want == size))
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
    search(links, start, gaps, given)
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

fn explicit(links: &[Link], start: usize, given: &Given<'_>) -> Result<Windows, ImportError> {
    let n = links.len();
    let strides = each(given.strides, n, "--strides")?;
    let paddings = each(given.paddings, n, "--paddings")?;
    let more = each(given.output_paddings, n, "--output-paddings")?;
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
    match (size, given.size) {
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

/// A guess: the size it ends in, how unusual it is, and its windows.
type Guess = (usize, usize, Vec<Window>);

/// Guesses windows.
fn search(
    links: &[Link],
    start: usize,
    gaps: &[Option<usize>],
    given: &Given<'_>,
) -> Result<Windows, ImportError> {
    let all = combinations(links, start, given.size.is_some());
    let all = upsampled(all, links, gaps, given.size);
    let sized = all.into_iter().filter_map(|(rank, windows)| {
        let size = size(start, links, &windows)?;
        Some((size, rank, windows))
    });
    let mut sized: Vec<Guess> = sized.collect();
    sized.sort_by_key(|(_, rank, _)| *rank);
    choose(&sized, given.size)
}

/// Windows for all links, with a rank that grows by how unusual each is. Kernels of one size have one
/// window, but for the first and the last layer. `rare` allows unusual ones.
fn combinations(links: &[Link], start: usize, rare: bool) -> Vec<(usize, Vec<Window>)> {
    const MOST: usize = 256;
    let mut all: Vec<(usize, Vec<Window>)> = vec![(0, vec![])];
    for (i, link) in links.iter().enumerate() {
        let choices = usual(link, start == 1 && i == 0, rare);
        let same = |j: &usize| {
            (links[*j].kernel, links[*j].role) == (link.kernel, link.role)
                && !(start == 1 && *j == 0)
        };
        let twin = (0..i).find(same).filter(|_| i + 1 < links.len());
        let mut longer = Vec::new();
        for (rank, windows) in &all {
            for (worse, choice) in choices.iter().enumerate() {
                if twin.is_none_or(|j| windows[j] == *choice) {
                    longer.push((rank + worse, [&windows[..], &[*choice]].concat()));
                }
            }
        }
        longer.sort_by_key(|(rank, _)| *rank);
        longer.truncate(MOST);
        all = longer;
    }
    all
}

/// Repeats pixels before convolutions: where names leave gaps. Without gaps, or for a given size,
/// before the first n of them, for each n.
fn upsampled(
    all: Vec<(usize, Vec<Window>)>,
    links: &[Link],
    gaps: &[Option<usize>],
    size: Option<usize>,
) -> Vec<(usize, Vec<Window>)> {
    let convs: Vec<usize> = (0..links.len()).filter(|i| links[*i].role == Role::Conv).collect();
    let gaps: Option<Vec<usize>> = convs.iter().map(|i| gaps.get(*i).copied().flatten()).collect();
    // For each choice, whether each convolution has it.
    let choices: Vec<Vec<bool>> = match (gaps, size) {
        (Some(gaps), None) => vec![gaps.iter().map(|gap| *gap >= 2).collect()],
        _ => (0..=convs.len()).map(|n| (0..convs.len()).map(|i| i < n).collect()).collect(),
    };
    let mut more = Vec::new();
    for (rank, windows) in all {
        for choice in &choices {
            let mut windows = windows.clone();
            for (i, upsample) in convs.iter().zip(choice) {
                windows[*i].upsample = *upsample;
            }
            more.push((rank, windows));
        }
    }
    more
}

/// The only one of the guesses, by rank, that fits, or the most usual one of a size that is given.
fn choose(sized: &[Guess], size: Option<usize>) -> Result<Windows, ImportError> {
    let fits = |have: usize| match size {
        Some(want) => have == want,
        None => USUAL.contains(&have),
    };
    let fitting: Vec<&Guess> = sized.iter().filter(|(size, ..)| fits(*size)).collect();
    let decide = "decide with --size N, --strides and --paddings, or --layers FILE";
    match (&fitting[..], size) {
        ([one], _) => Ok(Windows { all: one.2.clone(), source: "a guess".into() }),
        ([one, other, ..], Some(_)) if one.1 < other.1 => {
            Ok(Windows { all: one.2.clone(), source: "the most usual guess of that size".into() })
        }
        ([], _) => {
            let end = match size {
                Some(size) => format!("{size} x {size}"),
                None => "a usual size".into(),
            };
            Err(ImportError::Unclear(format!(
                "strides and paddings are not in the file, and no guess ends in {end}; it could be \
                 {}: {decide}",
                listed(sized)
            )))
        }
        _ => Err(ImportError::Unclear(format!(
            "strides and paddings are not in the file, and several guesses fit: {}: {decide}",
            listed(fitting.iter().copied())
        ))),
    }
}

/// The first few guesses for a message.
fn listed<'a>(guesses: impl IntoIterator<Item = &'a Guess>) -> String {
    let one = |(size, _, windows): &Guess| {
        let list = |of: fn(&Window) -> usize| {
            windows.iter().map(|w| of(w).to_string()).collect::<Vec<_>>().join(",")
        };
        let (strides, paddings) = (list(|w| w.stride), list(|w| w.padding));
        format!("{size} x {size} (strides {strides}, paddings {paddings})")
    };
    guesses.into_iter().take(4).map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(role: Role, kernels: &[usize]) -> Vec<Link> {
        let link = |k: &usize| Link { part: 0, role, inputs: 1, out: 1, kernel: *k };
        kernels.iter().map(link).collect()
    }

    fn found(kernels: &[usize], start: usize, given: &Given<'_>) -> Result<usize, String> {
        let links = links(Role::Transposed, kernels);
        let gaps = vec![None; links.len()];
        let windows = find(&links, start, &gaps, given).map_err(|e| e.to_string())?;
        Ok(size(start, &links, &windows.all).unwrap())
    }

    #[test]
    fn known_networks_have_their_sizes() {
        let none = Given::default();
        assert_eq!(found(&[4, 4, 4, 4, 4], 1, &none), Ok(64));
        assert_eq!(found(&[3, 4, 3, 4], 1, &none), Ok(28));
        assert_eq!(found(&[4, 4, 4, 4, 1], 1, &none), Ok(28));
        assert_eq!(found(&[4, 3, 4, 4], 1, &none), Ok(28));
        assert_eq!(found(&[7, 4, 4], 1, &none), Ok(28));
        assert_eq!(found(&[4, 4], 7, &none), Ok(28));
    }

    #[test]
    fn what_is_not_clear_is_a_question() {
        let error = found(&[4, 1], 1, &Given::default()).unwrap_err();
        assert!(error.contains("4 x 4") && error.contains("--size N"), "{error}");
        let error = found(&[4, 3, 3, 3], 1, &Given::default()).unwrap_err();
        assert!(error.contains("several guesses fit"), "{error}");
        let size = Given { size: Some(8), ..Given::default() };
        assert_eq!(found(&[4, 5], 1, &size), Ok(8));
        let size = Given { size: Some(1000), ..Given::default() };
        let error = found(&[4, 5], 1, &size).unwrap_err();
        assert!(error.contains("no guess ends in 1000 x 1000"), "{error}");
    }

    #[test]
    fn what_is_given_is_used() {
        let given = Given { strides: &[1, 1], paddings: &[0, 2], ..Given::default() };
        let error = found(&[4, 1], 1, &given).unwrap_err();
        assert!(error.contains("nothing is left"), "{error}");
        let given = Given { strides: &[2], paddings: &[0], ..Given::default() };
        assert_eq!(found(&[3, 3], 1, &given), Ok(7));
        let given = Given { strides: &[1, 2, 2], ..Given::default() };
        let error = found(&[4, 4], 1, &given).unwrap_err();
        assert!(error.contains("3 numbers for 2 convolutions"), "{error}");
        let given = Given { size: Some(9), ..given };
        let error = found(&[4, 4, 4], 1, &given).unwrap_err();
        assert!(error.contains("the image has 16 rows, not 9"), "{error}");
    }

    #[test]
    fn upsampling_by_gaps_or_size() {
        let links = links(Role::Conv, &[3, 3, 3]);
        let gaps = [Some(2), Some(2), Some(1)];
        let windows = find(&links, 8, &gaps, &Given::default()).unwrap();
        assert_eq!(size(8, &links, &windows.all), Some(32));
        let error = find(&links, 8, &[None; 3], &Given::default()).unwrap_err().to_string();
        assert!(error.contains("16 x 16") && error.contains("64 x 64"), "{error}");
        let given = Given { size: Some(32), ..Given::default() };
        let windows = find(&links, 8, &[None; 3], &given).unwrap();
        assert_eq!(windows.all.iter().map(|w| w.upsample).collect::<Vec<_>>(), [true, true, false]);
    }
}
