//! The kiosk's configuration file.

use clap::Parser;
use firmware_demo::Kiosk;
use runtime::{Cpu, Model};

use crate::options::Options;
use crate::{config, place};

/// A configuration file, and a kiosk with its settings over the whole sequence.
///
/// # Panics
/// If the program would refuse flags that it made itself.
pub fn kiosk(bytes: &[u8]) {
    let Ok(flags) = config::flags(&place::file("kiosk.toml", bytes)) else { return };
    let line = std::iter::once("firmware-demo".to_owned()).chain(flags);
    let options = Options::try_parse_from(line).expect("each flag was checked");
    let _ = options.hours();
    let _ = options.size_or(240, 240);
    let record = runtime::include_record!("../../../models/pretrained/faces-tiny-int8.bpk");
    let model = Model::parse(record).expect("it is part of the program");
    let mut arena = vec![0.0; model.arena_len()];
    let cpu = Cpu::new(&model, &mut arena).expect("the arena has the stated length");
    let mut kiosk = Kiosk::new(cpu, options.show());
    for position in [0, 1, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
        kiosk.seek(position);
        let _ = kiosk.until_change();
        kiosk.advance(1);
        kiosk.next();
        kiosk.previous();
        kiosk.advance(u64::MAX);
    }
}
