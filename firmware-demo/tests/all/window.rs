//! The program in a window of a virtual X server: presses keys and compares the screen.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use image::RgbImage;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ConnectionExt as _, ImageFormat, InputFocus,
    KEY_PRESS_EVENT, KEY_RELEASE_EVENT, MOTION_NOTIFY_EVENT, Window,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

/// A virtual X server and the program in it; both are ended on drop.
pub struct Desk {
    server: Child,
    program: Child,
    x: RustConnection,
    root: Window,
    /// The program's folder.
    pub dir: tempfile::TempDir,
}

impl Drop for Desk {
    fn drop(&mut self) {
        for child in [&mut self.program, &mut self.server] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn xvfb() -> Option<(Child, String)> {
    // The server picks a free display number and prints it.
    let server = Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut server) = server else {
        // CI installs it.
        eprintln!("not tested: Xvfb is not installed");
        return None;
    };
    let mut line = String::new();
    BufReader::new(server.stdout.take()?).read_line(&mut line).ok()?;
    Some((server, format!(":{}", line.trim())))
}

impl Desk {
    fn start(args: &[&str]) -> Option<Desk> {
        Desk::start_in(tempfile::tempdir().unwrap(), args)
    }

    /// Starts the program in a folder.
    pub fn start_in(dir: tempfile::TempDir, args: &[&str]) -> Option<Desk> {
        let (server, display) = xvfb()?;
        let program = Command::new(env!("CARGO_BIN_EXE_firmware-demo"))
            .args(args)
            .current_dir(dir.path())
            .env("DISPLAY", &display)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (x, screen) = x11rb::connect(Some(&display)).unwrap();
        let root = x.setup().roots[screen].root;
        Some(Desk { server, program, x, root, dir })
    }

    /// The program's window, once it is mapped.
    pub fn window(&self) -> Window {
        let start = Instant::now();
        loop {
            let tree = self.x.query_tree(self.root).unwrap().reply().unwrap();
            let seen = |w: &&Window| {
                let attributes =
                    self.x.get_window_attributes(**w).ok().and_then(|c| c.reply().ok());
                attributes
                    .is_some_and(|a| a.map_state == x11rb::protocol::xproto::MapState::VIEWABLE)
            };
            if let Some(window) = tree.children.iter().find(seen) {
                // There is no window manager to do it.
                self.x.set_input_focus(InputFocus::PARENT, *window, x11rb::CURRENT_TIME).unwrap();
                self.x.flush().unwrap();
                return *window;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "no window");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A screenshot of a window.
    pub fn look(&self, window: Window) -> RgbImage {
        let size = self.x.get_geometry(window).unwrap().reply().unwrap();
        let (width, height) = (size.width, size.height);
        let shot = self.x.get_image(ImageFormat::Z_PIXMAP, window, 0, 0, width, height, !0);
        let data = shot.unwrap().reply().unwrap().data;
        let pixels = data.chunks(4).flat_map(|p| [p[2], p[1], p[0]]).collect();
        RgbImage::from_raw(width.into(), height.into(), pixels).unwrap()
    }

    pub fn until(&self, what: &str, window: Window, want: &RgbImage) {
        let start = Instant::now();
        while self.look(window) != *want {
            assert!(start.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn ends_well(&mut self) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.program.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "the program does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}");
    }

    /// Presses and releases a key, after a pause for the program to look at its window.
    pub fn press(&self, symbol: u32) {
        std::thread::sleep(Duration::from_millis(120));
        self.tap(symbol);
    }

    /// Moves the pointer to a pixel of a window.
    pub fn point(&self, window: Window, (x, y): (i16, i16)) {
        let place = self.x.get_geometry(window).unwrap().reply().unwrap();
        self.fake(MOTION_NOTIFY_EVENT, 0, (place.x + x, place.y + y));
    }

    /// Presses or releases the left button.
    pub fn button(&self, down: bool) {
        let kind = if down { BUTTON_PRESS_EVENT } else { BUTTON_RELEASE_EVENT };
        self.fake(kind, 1, (0, 0));
    }

    fn fake(&self, kind: u8, detail: u8, (x, y): (i16, i16)) {
        self.x.xtest_fake_input(kind, detail, 0, self.root, x, y, 0).unwrap();
        self.x.flush().unwrap();
    }

    /// Presses and releases a key at once, as a remote keyboard does.
    fn tap(&self, symbol: u32) {
        let setup = self.x.setup();
        let (low, high) = (setup.min_keycode, setup.max_keycode);
        let map = self.x.get_keyboard_mapping(low, high - low + 1).unwrap().reply().unwrap();
        let keys = map.keysyms.chunks(map.keysyms_per_keycode.into());
        let code = low + keys.into_iter().position(|k| k.contains(&symbol)).unwrap() as u8;
        for event in [KEY_PRESS_EVENT, KEY_RELEASE_EVENT] {
            self.fake(event, code, (0, 0));
        }
    }
}

/// The picture of a seed, as the program writes it to a file.
fn face(seed: u64, size: &str) -> RgbImage {
    face_of(seed, size, &[])
}

fn face_of(seed: u64, size: &str, args: &[&str]) -> RgbImage {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_firmware-demo"))
        .args([
            "--frames=1",
            "--out=face.png",
            &format!("--seed={seed}"),
            &format!("--size={size}"),
        ])
        .args(args)
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    codecs::open(dir.path().join("face.png")).unwrap().to_rgb8()
}

const RIGHT: u32 = 0xff53;
const LEFT: u32 = 0xff51;

#[test]
fn keys_and_faces_in_a_window() {
    let Some(mut desk) = Desk::start(&["--hold", "--seed=5", "--size=320x240"]) else {
        return;
    };
    let window = desk.window();
    desk.until("face 5", window, &face(5, "320x240"));
    desk.press(RIGHT);
    desk.until("face 6", window, &face(6, "320x240"));
    desk.press('n' as u32);
    desk.until("face 7", window, &face(7, "320x240"));
    desk.press(LEFT);
    desk.until("face 6 again", window, &face(6, "320x240"));
    desk.press('f' as u32);
    desk.press('s' as u32);
    desk.until("dark", window, &RgbImage::new(320, 240));
    desk.press('q' as u32);
    desk.ends_well();
    let favorites = std::fs::read_to_string(desk.dir.path().join("favorites.txt"));
    assert_eq!(favorites.unwrap(), "6\n");
}

#[test]
fn no_key_press_is_too_short() {
    let args = ["--hold", "--caption=false", "--size=160x160"];
    let Some(mut desk) = Desk::start(&args) else {
        return;
    };
    let window = desk.window();
    let bare = |seed| face_of(seed, "160x160", &["--caption=false"]);
    desk.until("face 0", window, &bare(0));
    for _ in 0..5 {
        desk.press('n' as u32);
    }
    desk.until("face 5", window, &bare(5));
    // Faster than the program looks.
    for _ in 0..15 {
        desk.tap(RIGHT);
    }
    desk.until("face 20", window, &bare(20));
    for _ in 0..20 {
        desk.tap(LEFT);
    }
    desk.until("face 0 again", window, &bare(0));
    for _ in 0..5 {
        desk.tap('f' as u32);
    }
    desk.tap(RIGHT);
    for _ in 0..4 {
        desk.tap('f' as u32);
    }
    desk.tap('q' as u32);
    desk.ends_well();
    // 0 was added, removed, added, removed and added; 1 was removed last.
    let favorites = std::fs::read_to_string(desk.dir.path().join("favorites.txt"));
    assert_eq!(favorites.unwrap(), "0\n");
}

#[test]
fn it_prints_where_the_faces_are_and_they_change() {
    let Some(mut desk) = Desk::start(&["--dwell-s=0.2", "--morph-s=0.2", "--size=200x200"]) else {
        return;
    };
    let window = desk.window();
    let later = [2, 3].map(|seed| face(seed, "200x200"));
    desk.until("face 2", window, &later[0]);
    desk.until("face 3", window, &later[1]);
    let mut line = String::new();
    let stderr = desk.program.stderr.take().unwrap();
    BufReader::new(stderr).read_line(&mut line).unwrap();
    assert!(line.starts_with("faces in a window (space: hold"), "{line}");
    desk.press('q' as u32);
    desk.ends_well();
}
