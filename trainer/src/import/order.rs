//! The order of a network's layers, by the shapes of their weights.

use super::error::ImportError;
use super::parts::{Kind, Part, tensor_name};
use super::state::State;

/// What a layer is in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Dense,
    Conv,
    Transposed,
}

/// A layer of a chain: its place among the parts, what it is, and the channels it reads and makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Link {
    pub part: usize,
    pub role: Role,
    pub inputs: usize,
    pub out: usize,
    pub kernel: usize,
}

/// What a chain has made so far.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Latent,
    Flat(usize),
    Map(usize),
}

/// Steps of the search for an order, after which it is given up.
const STEPS: usize = 20_000;

/// Most layers of a network, and the side of the largest kernel.
const LAYERS: usize = 256;
const LARGEST_KERNEL: usize = 64;

/// The side of the square image in `values` values of `channels` channels.
pub(super) fn side(values: usize, channels: usize) -> Option<usize> {
    let plane = values.checked_div(channels).filter(|p| p * channels == values)?;
    (1..=4096).find(|side| side * side >= plane).filter(|side| side * side == plane)
}

/// Whether a vector of that many values can be an image.
pub(super) fn is_image(values: usize, given: Option<[usize; 3]>) -> bool {
    match given {
        Some(sides) => sides.iter().product::<usize>() == values,
        None => [1, 3].iter().any(|c| side(values, *c).is_some_and(|side| side >= 8)),
    }
}

/// The chain of layers from a latent to an image: in the order of their names, or, if that does not
/// fit, in the only order that does.
///
/// # Errors
/// [`ImportError`] names two layers that do not fit, or says that several orders do.
pub(super) fn chain(
    state: &State,
    parts: &[Part],
    image: Option<[usize; 3]>,
) -> Result<Vec<Link>, ImportError> {
    let links = links(parts)?;
    let mut search = Search { links: &links, image, found: vec![], steps: 0 };
    search.follow(At::Latent, &mut vec![], true);
    if search.found.is_empty() && is_encoder(&links) {
        return Err(ImportError::Unclear(
            "reads as a discriminator or an encoder in the order of its names; if it is a \
             generator, list its layers in a file for --layers"
                .into(),
        ));
    }
    if search.found.is_empty() {
        search.follow(At::Latent, &mut vec![], false);
    }
    let (mut found, steps) = (search.found, search.steps);
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        0 => Err(misfit(state, parts, &links, steps >= STEPS)),
        _ => {
            let name = |link: &Link| parts[link.part].name.clone();
            let differ = found[0].iter().zip(&found[1]).find(|(a, b)| a != b);
            let pair = differ.map(|(a, b)| format!("{} and {}", name(a), name(b)));
            Err(ImportError::Unclear(format!(
                "the order of {} is not clear: list the layers in a file for --layers",
                pair.unwrap_or_default()
            )))
        }
    }
}

/// Whether the layers, in the order of their names, are convolutions from an image. The shapes of a
/// generator are the same backwards.
fn is_encoder(links: &[Link]) -> bool {
    let kernels: Vec<&Link> = links.iter().take_while(|l| l.role != Role::Dense).collect();
    let from_image = kernels.first().is_some_and(|l| [1, 3, 4].contains(&l.out));
    from_image && kernels.windows(2).all(|pair| pair[0].inputs == pair[1].out)
}

/// Every layer with its role. Of square kernels both roles fit; names and the other kernels decide.
fn links(parts: &[Part]) -> Result<Vec<Link>, ImportError> {
    let mut links = Vec::new();
    for (part, Part { name, kind }) in parts.iter().enumerate() {
        match *kind {
            Kind::Dense { out, inputs } => {
                links.push(Link { part, role: Role::Dense, inputs, out, kernel: 0 });
            }
            Kind::Kernel { k, .. } if !(1..=LARGEST_KERNEL).contains(&k) => {
                let what = format!("a kernel of {k}: from 1 to {LARGEST_KERNEL}");
                return Err(ImportError::Layer(tensor_name(name, "weight"), what));
            }
            Kind::Kernel { a, b, k } => {
                let role = Role::Transposed;
                links.push(Link { part, role, inputs: a, out: b, kernel: k });
            }
            Kind::Other(ref what) => {
                return Err(ImportError::Layer(tensor_name(name, "weight"), what.clone()));
            }
            Kind::Norm(_) | Kind::Slopes | Kind::Embedding { .. } => {}
        }
    }
    match links.len() <= LAYERS {
        true => Ok(links),
        false => Err(ImportError::Unclear(format!(
            "{} layers; at most {LAYERS} are read: choose a network with --key",
            links.len()
        ))),
    }
}

struct Search<'a> {
    links: &'a [Link],
    image: Option<[usize; 3]>,
    found: Vec<Vec<Link>>,
    steps: usize,
}

impl Search<'_> {
    fn follow(&mut self, at: At, chain: &mut Vec<Link>, in_order: bool) {
        self.steps += 1;
        if self.steps > STEPS || self.found.len() > 1 {
            return;
        }
        if chain.len() == self.links.len() {
            let ends = match at {
                At::Map(c) => [1, 3, 4].contains(&c),
                // An encoder makes less than it reads.
                At::Flat(n) => is_image(n, self.image) && chain[0].inputs <= n,
                At::Latent => false,
            };
            if ends && !self.found.contains(chain) {
                self.found.push(chain.clone());
            }
            return;
        }
        let candidates = match in_order {
            true => chain.len()..chain.len() + 1,
            false => 0..self.links.len(),
        };
        for i in candidates {
            let link = self.links[i];
            if chain.iter().any(|l| l.part == link.part) {
                continue;
            }
            for role in self.roles(&link, at) {
                let (inputs, out) = match role {
                    Role::Conv => (link.out, link.inputs),
                    Role::Dense | Role::Transposed => (link.inputs, link.out),
                };
                let next = if role == Role::Dense { At::Flat(out) } else { At::Map(out) };
                chain.push(Link { role, inputs, out, ..link });
                self.follow(next, chain, in_order);
                chain.pop();
            }
        }
    }

    /// The roles in which a layer fits what has been made.
    fn roles(&self, link: &Link, at: At) -> Vec<Role> {
        if link.role == Role::Dense {
            let fits = match at {
                At::Latent => true,
                At::Flat(n) => n == link.inputs,
                At::Map(_) => false,
            };
            return if fits { vec![Role::Dense] } else { vec![] };
        }
        let reads = |channels: usize| match at {
            At::Latent => true,
            At::Flat(n) => side(n, channels).is_some(),
            At::Map(c) => c == channels,
        };
        let mut roles = Vec::new();
        if reads(link.inputs) {
            roles.push(Role::Transposed);
        }
        // A latent is one pixel, which nobody convolves.
        if reads(link.out) && at != At::Latent {
            roles.push(Role::Conv);
        }
        if roles.len() == 2 {
            let square = link.inputs == link.out;
            roles = match (square, self.kind_of_others()) {
                (true, Some(role)) => vec![role],
                (true, None) => vec![Role::Transposed],
                (false, _) => roles,
            };
        }
        roles
    }

    /// The role of the layers that fit only one: those that make an image say it.
    fn kind_of_others(&self) -> Option<Role> {
        let image = |n: usize| [1, 3, 4].contains(&n);
        let mut kernels = self.links.iter().rev().filter(|l| l.role != Role::Dense);
        let last = kernels.find(|l| image(l.inputs) != image(l.out))?;
        Some(if image(last.out) { Role::Transposed } else { Role::Conv })
    }
}

/// Why there is no chain: the first two layers, in the order of their names, that do not fit.
fn misfit(state: &State, parts: &[Part], links: &[Link], given_up: bool) -> ImportError {
    let shape = |link: &Link| {
        let name = tensor_name(&parts[link.part].name, "weight");
        let shape = state.get(&name).map(|t| t.shape.clone()).unwrap_or_default();
        (name, shape)
    };
    if given_up {
        return ImportError::Unclear(
            "the order of the layers is not clear: list them in a file for --layers".into(),
        );
    }
    for pair in links.windows(2) {
        let [a, b] = [&pair[0], &pair[1]];
        let fits = match (a.role, b.role) {
            (Role::Dense, Role::Dense) => a.out == b.inputs,
            (Role::Dense, _) => side(a.out, b.inputs).is_some() || side(a.out, b.out).is_some(),
            (_, Role::Dense) => false,
            _ => {
                [a.inputs, a.out].iter().any(|n| [b.inputs, b.out].contains(n)) && {
                    a.out == b.inputs || a.inputs == b.out
                }
            }
        };
        if !fits {
            return ImportError::Shape(
                [shape(a), shape(b)],
                "the channels that the one makes are those that the next reads",
            );
        }
    }
    match links.last() {
        Some(last) => {
            let (name, shape) = shape(last);
            ImportError::Unclear(format!(
                "ends in {name} of {shape:?}, which makes no image of 1, 3 or 4 channels"
            ))
        }
        None => ImportError::Unclear("has no layers".into()),
    }
}

/// The layer that each norm follows, by numbers in names, by its place among the names, or by the
/// only way in which the channels fit; `None` if that is not clear.
pub(super) fn norms(parts: &[Part], chain: &[Link]) -> Option<Vec<(usize, usize)>> {
    let norms: Vec<(usize, usize)> = parts
        .iter()
        .enumerate()
        .filter_map(|(i, p)| if let Kind::Norm(c) = p.kind { Some((i, c)) } else { None })
        .collect();
    let fits = |at: usize, c: usize| {
        let link = &chain[at];
        let next = chain.get(at + 1).filter(|n| n.role != Role::Dense);
        let reads = next.is_some_and(|n| link.role == Role::Dense && n.inputs == c);
        link.out == c || reads
    };
    let valid = |places: &[Option<usize>]| -> Option<Vec<(usize, usize)>> {
        let mut all = Vec::new();
        for ((part, c), place) in norms.iter().zip(places) {
            let place = (*place)?;
            if !fits(place, *c) || all.iter().any(|(at, _)| *at == place) {
                return None;
            }
            all.push((place, *part));
        }
        Some(all)
    };
    let group = |name: &str| name.rsplit_once('.').map_or("", |(g, _)| g).to_string();
    let own = |name: &str| name.rsplit('.').next().unwrap_or_default().to_string();
    let numeric = |name: &str| name.bytes().all(|b| b.is_ascii_digit());
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    // The place among the names: the last layer of the group before the norm.
    let by_place = |part: usize| {
        let name = &parts[part].name;
        let peers = |at: &usize| group(&parts[chain[*at].part].name) == group(name);
        let before = (0..chain.len()).filter(peers).filter(|at| chain[*at].part < part);
        let first = (0..chain.len()).find(peers);
        before.max_by_key(|at| chain[*at].part).or_else(|| first.and_then(|at| at.checked_sub(1)))
    };
    let by_number = |part: usize| {
        let name = own(&parts[part].name);
        if numeric(&name) || digits(&name).is_empty() {
            return None;
        }
        let same = |at: &usize| {
            let other = &parts[chain[*at].part].name;
            group(other) == group(&parts[part].name) && digits(&own(other)) == digits(&name)
        };
        let mut found = (0..chain.len()).filter(same);
        found.next().filter(|_| found.next().is_none())
    };
    let numbered: Vec<_> = norms.iter().map(|(p, _)| by_number(*p)).collect();
    let placed: Vec<_> = norms.iter().map(|(p, _)| by_place(*p)).collect();
    if let Some(found) = valid(&numbered).or_else(|| valid(&placed)) {
        return Some(found);
    }
    // In order, the only way that fits.
    let mut ways: Vec<Vec<(usize, usize)>> = vec![vec![]];
    for (part, c) in &norms {
        let mut more = Vec::new();
        for way in &ways {
            let from = way.last().map_or(0, |(at, _)| at + 1);
            for at in (from..chain.len()).filter(|at| fits(*at, *c)) {
                let mut way = way.clone();
                way.push((at, *part));
                more.push(way);
            }
        }
        more.truncate(64);
        ways = more;
    }
    match &ways[..] {
        [one] => Some(one.clone()),
        _ => None,
    }
}
