//! The program in a pseudo-terminal, as over ssh, with a terminal emulator to read the screen.

#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use image::RgbImage;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// The program and the terminal it runs in.
struct Session {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    child: Box<dyn Child + Send + Sync>,
    dir: tempfile::TempDir,
}

const COLUMNS: u16 = 40;
const ROWS: u16 = 30;

fn nonzero(n: u16) -> std::num::NonZero<u16> {
    n.try_into().unwrap()
}

impl Session {
    fn start(args: &[&str]) -> Session {
        let dir = tempfile::tempdir().unwrap();
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_firmware-demo"));
        command.args(args);
        command.cwd(dir.path());
        command.env_remove("DISPLAY");
        let child = pty.slave.spawn_command(command).unwrap();
        let mut reader = pty.master.try_clone_reader().unwrap();
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            // An error means that the terminal is closed.
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Session {
            keys: pty.master.take_writer().unwrap(),
            master: pty.master,
            output,
            screen: vt100::Parser::new(nonzero(ROWS), nonzero(COLUMNS), 0),
            child,
            dir,
        }
    }

    /// Reads until the screen meets a condition.
    fn until(&mut self, what: &str, is: impl Fn(&vt100::Screen) -> bool) {
        let start = Instant::now();
        while !is(self.screen.screen()) {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "{what}: {}",
                self.screen.screen().contents()
            );
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(100)) {
                self.screen.process(&bytes);
            }
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
        self.keys.flush().unwrap();
    }

    fn ends_well(mut self) -> tempfile::TempDir {
        let start = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(20)),
            }
            assert!(start.elapsed() < Duration::from_secs(10), "the program does not end");
        };
        assert!(status.success(), "{status:?}");
        self.until("the first screen", |s| !s.alternate_screen() && !s.hide_cursor());
        self.dir
    }
}

/// Decodes half blocks to a picture.
fn picture(screen: &vt100::Screen) -> Option<RgbImage> {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let mut image = RgbImage::new(columns.into(), 2 * rows as u32);
    for row in 0..rows {
        for column in 0..columns {
            let cell = screen.cell(row, column)?;
            let (vt100::Color::Rgb(r, g, b), vt100::Color::Rgb(x, y, z)) =
                (cell.fgcolor(), cell.bgcolor())
            else {
                return None;
            };
            if cell.contents() != "▀" {
                return None;
            }
            image.put_pixel(column.into(), 2 * row as u32, image::Rgb([r, g, b]));
            image.put_pixel(column.into(), 2 * row as u32 + 1, image::Rgb([x, y, z]));
        }
    }
    Some(image)
}

/// The picture of a seed, as the program writes it to a file.
fn face(seed: u64, rows: u16, caption: bool) -> RgbImage {
    let dir = tempfile::tempdir().unwrap();
    let size = format!("--size={COLUMNS}x{}", 2 * rows);
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_firmware-demo"))
        .args([&size, "--frames=1", "--out=face.png", &format!("--seed={seed}")])
        .arg(format!("--caption={caption}"))
        .current_dir(dir.path())
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
    codecs::open(dir.path().join("face.png")).unwrap().to_rgb8()
}

fn shows(seed: u64, rows: u16) -> impl Fn(&vt100::Screen) -> bool {
    let want = face(seed, rows, true);
    move |screen| picture(screen).as_ref() == Some(&want)
}

fn shows_bare(seed: u64) -> impl Fn(&vt100::Screen) -> bool {
    let want = face(seed, ROWS, false);
    move |screen| picture(screen).as_ref() == Some(&want)
}

#[test]
fn keys_and_faces_in_a_terminal() {
    let mut session = Session::start(&["--hold", "--seed=5"]);
    session.until("face 5", shows(5, ROWS));
    let screen = session.screen.screen();
    assert!(screen.alternate_screen() && screen.hide_cursor());
    session.press(b"n");
    session.until("face 6", shows(6, ROWS));
    session.press(b"\x1b[C");
    session.until("face 7", shows(7, ROWS));
    session.press(b"pp");
    session.until("face 5 again", shows(5, ROWS));
    session.press(b"\x1b[D");
    session.until("face 4", shows(4, ROWS));
    session.press(b"f");
    session.until("its star", |s| !shows(4, ROWS)(s));
    session.press(b"s");
    session.until("dark", |s| picture(s).is_some_and(|p| p.pixels().all(|p| p.0 == [0; 3])));
    session.press(b"q");
    let dir = session.ends_well();
    assert_eq!(std::fs::read_to_string(dir.path().join("favorites.txt")).unwrap(), "4\n");
}

#[test]
fn many_quick_keys_and_a_favorite_that_is_removed_again() {
    let mut session = Session::start(&["--hold", "--caption=false"]);
    session.until("face 0", shows_bare(0));
    for _ in 0..20 {
        session.press(b"n");
    }
    session.until("face 20", shows_bare(20));
    session.press(&b"fnfpf".repeat(4));
    session.press(b"nf");
    session.until("face 21", shows_bare(21));
    session.press(b"q");
    let dir = session.ends_well();
    // 20 was pressed eight times and 21 five times.
    let favorites = std::fs::read_to_string(dir.path().join("favorites.txt")).unwrap();
    assert_eq!(favorites, "21\n");
}

#[test]
fn a_terminal_that_changes_its_size() {
    let mut session = Session::start(&["--hold", "--display=terminal"]);
    session.until("face 0", shows(0, ROWS));
    let size = PtySize { rows: 15, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
    session.screen.screen_mut().set_size(nonzero(15), nonzero(COLUMNS));
    session.master.resize(size).unwrap();
    session.until("a smaller face 0", shows(0, 15));
    session.press(&[3]);
    session.ends_well();
}

#[test]
fn sigterm_leaves_the_terminal_as_it_was() {
    let mut session = Session::start(&["--morph-s=1", "--dwell-s=0.1"]);
    session.until("a face", |s| picture(s).is_some());
    let pid = session.child.process_id().unwrap().to_string();
    assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
    session.ends_well();
}
