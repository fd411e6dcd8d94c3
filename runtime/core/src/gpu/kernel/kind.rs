//! The kernels, and which one runs a layer.

use std::fmt;
use std::vec::Vec;

use super::coop::{COOPS, Coop};
use super::image::{FEW, IMAGES, Image, few_threads};
use super::product::{EIGHT, Product};
use super::slim::Slim;
use super::tile::{TILES, Tile};
use crate::gpu::device::Limits;

/// Threads that normalize a vector of channels together.
const NORM: usize = 128;

/// One of the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Many columns.
    Tile(Tile),
    /// Many columns, by matrix units.
    Coop(Coop),
    /// Few columns or few lanes.
    Slim(Slim),
    /// Software adapters.
    Eight,
    /// Layers without multiplications.
    Move,
    /// Two inputs as one.
    Join,
    /// Normalized channels.
    Norm,
    /// The layer that makes an image of that many channels.
    Image(Image, usize),
    /// The same for few faces.
    ImageFew(usize),
    /// Turns a feature map into bytes.
    Pixels,
}

impl Kind {
    /// The kernel of a layer that multiplies; `eight`: on a software adapter.
    pub fn of(product: &Product, eight: bool, limits: &Limits) -> Kind {
        if eight && product.block == EIGHT / 4 {
            return Kind::Eight;
        }
        if eight {
            // Few reads for each product.
            return Kind::Slim(Slim { lanes: 1, spread: 64, wide: 8 });
        }
        // Enough workgroups to keep a GPU busy, and columns that fill most of each; with fewer,
        // smaller tiles.
        let full = |columns: usize| 2 * product.columns > columns;
        let coop = COOPS.iter().find(|(coop, least)| {
            let busy = least.is_some_and(|least| coop.workgroups(product) >= least);
            busy && full(coop.columns) && coop.suits(product, limits)
        });
        let tile = TILES.iter().find(|(tile, least)| {
            let busy = least.is_some_and(|least| tile.workgroups(product) >= least);
            busy && full(tile.columns) && tile.suits(product, limits)
        });
        match (coop, tile) {
            (Some((coop, _)), _) => Kind::Coop(*coop),
            (None, Some((tile, _))) => Kind::Tile(*tile),
            (None, None) => Kind::Slim(Slim::of(product)),
        }
    }

    /// The kernel of a layer that makes the image from `rows` by `columns` pixels.
    pub fn of_image(
        channels: usize,
        [rows, columns]: [usize; 2],
        faces: usize,
        limits: &Limits,
    ) -> Kind {
        let image = IMAGES.iter().find(|i| i.suits(channels, limits));
        match image {
            Some(image) if faces * rows * columns >= 1 << 14 => Kind::Image(*image, channels),
            _ => Kind::ImageFew(channels),
        }
    }

    /// All kernels that could run a layer that multiplies.
    pub fn candidates(product: &Product, limits: &Limits) -> Vec<Kind> {
        let tiles = TILES.iter().map(|(tile, _)| *tile);
        let tiles = tiles.filter(|t| t.suits(product, limits)).map(Kind::Tile);
        let few = product.columns * product.groups <= 4096 || product.block == 1;
        let slims = Slim::all(product).filter(|_| few).map(Kind::Slim);
        let coops = COOPS.iter().map(|(coop, _)| *coop);
        let coops = coops.filter(|c| c.suits(product, limits)).map(Kind::Coop);
        tiles.chain(coops).chain(slims).collect()
    }

    /// The same for a layer that makes the image.
    pub fn image_candidates(channels: usize, limits: &Limits) -> Vec<Kind> {
        let suit = IMAGES.iter().filter(|i| i.suits(channels, limits));
        let images = suit.map(|image| Kind::Image(*image, channels));
        images.chain([Kind::ImageFew(channels)]).collect()
    }

    /// Workgroups for one group of a layer that multiplies.
    pub fn workgroups(self, product: &Product) -> usize {
        let (lanes, columns) = match self {
            Kind::Tile(tile) => (tile.lanes, tile.columns),
            Kind::Coop(coop) => (coop.lanes, coop.columns),
            Kind::Slim(slim) => (slim.lanes, slim.spread * slim.wide),
            Kind::Eight => (EIGHT / 4, 16),
            Kind::Move
            | Kind::Join
            | Kind::Norm
            | Kind::Image(..)
            | Kind::ImageFew(_)
            | Kind::Pixels => return 0,
        };
        product.columns.div_ceil(columns) * product.lanes.div_ceil(lanes)
    }

    /// Workgroups of a layer that makes the image from `rows` by `columns` pixels.
    pub fn image_workgroups(self, faces: usize, [rows, columns]: [usize; 2]) -> usize {
        match self {
            Kind::Image(i, _) => faces * rows.div_ceil(i.lines) * columns.div_ceil(2 * i.pairs),
            _ => (faces * rows * columns / 2).div_ceil(FEW),
        }
    }

    pub fn entry(self) -> &'static str {
        match self {
            Kind::Tile(_) => "tile",
            Kind::Coop(_) => "coop",
            Kind::Slim(_) => "slim",
            Kind::Eight => "eight",
            Kind::Move => "move_values",
            Kind::Join => "join",
            Kind::Norm => "norm",
            Kind::Image(..) | Kind::ImageFew(_) => "image",
            Kind::Pixels => "pixels",
        }
    }

    pub fn text(self) -> (&'static str, Vec<(&'static str, usize)>) {
        match self {
            Kind::Tile(tile) => (include_str!("../tile.wgsl"), tile.constants()),
            Kind::Coop(coop) => (include_str!("../coop.wgsl"), coop.constants()),
            Kind::Slim(slim) => (include_str!("../slim.wgsl"), slim.constants()),
            Kind::Eight => (include_str!("../eight.wgsl"), Vec::new()),
            Kind::Move => (include_str!("../move.wgsl"), Vec::new()),
            Kind::Join => (include_str!("../join.wgsl"), Vec::new()),
            Kind::Norm => (include_str!("../norm.wgsl"), [("THREADS", NORM)].into()),
            Kind::Image(image, channels) => {
                (include_str!("../image.wgsl"), image.constants(channels))
            }
            Kind::ImageFew(channels) => {
                let constants =
                    [("PAIRS", FEW), ("CHANNELS", channels), ("THREADS", few_threads(channels))];
                (include_str!("../image_few.wgsl"), constants.into())
            }
            Kind::Pixels => (include_str!("../pixels.wgsl"), Vec::new()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Tile(t) => write!(
                f,
                "tile {}x{}, {}x{} per thread, deep {}, stages {}",
                4 * t.lanes,
                t.columns,
                4 * t.tall,
                t.wide,
                4 * t.deep,
                t.stages
            ),
            Kind::Coop(c) => write!(
                f,
                "coop {}x{}, {}x{} per subgroup, deep {}, stages {}",
                4 * c.lanes,
                c.columns,
                16 * c.tall,
                16 * c.wide,
                4 * c.deep,
                c.stages
            ),
            Kind::Slim(s) => write!(
                f,
                "slim {}x{}, {} columns per thread, {} slices",
                4 * s.lanes,
                s.spread * s.wide,
                s.wide,
                s.slices()
            ),
            Kind::Image(i, _) => {
                write!(f, "image {}x{}, deep {}", 2 * i.pairs, i.lines, 4 * i.deep)
            }
            Kind::ImageFew(_) => f.write_str("image, few"),
            Kind::Eight | Kind::Move | Kind::Join | Kind::Norm | Kind::Pixels => {
                f.write_str(self.entry())
            }
        }
    }
}
