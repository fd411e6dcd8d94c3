//! The web pages in a headless Chromium: their canvas shows what the program writes to a file.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use image::RgbImage;

/// Draws on the page as soon as it can be drawn on.
const HAND: &str = "<script>
  const hand = () => {
    const canvas = document.querySelector('canvas')
    if (canvas.width !== 320) return setTimeout(hand, 10)
    const fire = (kind, clientX, clientY) =>
      canvas.dispatchEvent(new PointerEvent(kind, { pointerId: 1, button: 0, clientX, clientY }))
    for (const [[x, y], [to, down]] of [[[10, 98], [150, 98]], [[79, 30], [79, 160]], [[20, 40], [70, 50]]]) {
      fire('pointerdown', x, y)
      fire('pointermove', to, down)
      fire('pointerup', to, down)
    }
    dispatchEvent(new KeyboardEvent('keydown', { key: 'u' }))
    const blue = (x, y) => canvas.getContext('2d').getImageData(x, y, 1, 1).data[2] > 200
    const look = () => blue(170, 98) && blue(243, 40) && !blue(207, 45) ? fetch('/done') : setTimeout(look, 10)
    look()
  }
  hand()
</script><img src='/held' hidden>";

/// Whether the page has what is looked for. Until then, an image keeps it from being complete.
static DONE: AtomicBool = AtomicBool::new(false);

/// Serves one file of the pages.
fn answer(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let dist = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/web/dist"));
    let (bytes, kind) = match line.split(['?', ' ']).nth(1) {
        Some("/") => (std::fs::read(dist.join("index.html"))?, "text/html"),
        Some("/kiosk.wasm") => (std::fs::read(dist.join("kiosk.wasm"))?, "application/wasm"),
        Some("/sketch.bpk") => (crate::sketch::record(1), "application/octet-stream"),
        Some("/drawing.html") => {
            let mut page = std::fs::read(dist.join("sketch.html"))?;
            page.extend(HAND.bytes());
            (page, "text/html")
        }
        other => {
            DONE.fetch_or(other == Some("/done"), Ordering::Relaxed);
            let start = Instant::now();
            while other == Some("/held")
                && !DONE.load(Ordering::Relaxed)
                && start.elapsed() < Duration::from_secs(30)
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            return reader.get_mut().write_all(b"HTTP/1.0 404 Not Found\r\n\r\n");
        }
    };
    let length = bytes.len();
    let head =
        format!("HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
    reader.get_mut().write_all(head.as_bytes())?;
    reader.get_mut().write_all(&bytes)
}

/// Serves the pages; returns the address.
fn serve() -> std::net::SocketAddr {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in server.incoming().flatten() {
            std::thread::spawn(|| answer(stream));
        }
    });
    address
}

/// The top left part of a page, as large as a picture: after some virtual time, which workers do not
/// see, or when it is complete.
fn screenshot(dir: &Path, url: &str, like: &RgbImage, time: &[&str]) -> RgbImage {
    let browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .args(["--force-color-profile=srgb", "--window-size=320,600"])
        .args(time)
        .arg("--screenshot=got.png")
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(url)
        .current_dir(dir)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .status();
    assert!(browser.unwrap().success());
    let mut got = codecs::open(dir.join("got.png")).unwrap().to_rgb8();
    image::imageops::crop(&mut got, 0, 0, like.width(), like.height()).to_image()
}

/// Another instruction set adds in another order, so some levels differ by one.
fn same(got: &RgbImage, want: &RgbImage) -> bool {
    got.iter().zip(want.iter()).all(|(a, b)| a.abs_diff(*b) <= 1)
}

#[test]
#[ignore = "needs Chromium and the output of firmware-demo/web/build"]
fn the_page_shows_the_face() {
    let address = serve();
    let dir = tempfile::tempdir().unwrap();
    for seed in ["5", "18446744073709551"] {
        let size = ["--size=320x344", "--frames=1", "--out=want.png"];
        let program = Command::new(env!("CARGO_BIN_EXE_firmware-demo"))
            .args(size)
            .arg(format!("--seed={seed}"))
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .status();
        assert!(program.unwrap().success());
        let want = codecs::open(dir.path().join("want.png")).unwrap().to_rgb8();
        let url = format!("http://{address}/?seed={seed}&hold");
        let got = screenshot(dir.path(), &url, &want, &["--virtual-time-budget=5000"]);
        assert!(same(&got, &want), "seed {seed}");
        assert!(got.iter().any(|v| *v > 100), "there is a face");
    }
}

#[test]
#[ignore = "needs Chromium and the output of firmware-demo/web/build"]
fn a_drawing_on_the_page_is_answered() {
    let address = serve();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("sketch.bpk"), crate::sketch::record(1)).unwrap();
    let script = "down 10 98\nmove 150 98\nup\ndown 79 30\nmove 79 160\nup\n";
    std::fs::write(dir.path().join("strokes.txt"), script).unwrap();
    let program = Command::new(env!("CARGO_BIN_EXE_firmware-demo"))
        .args(["--sketch", "--model=sketch.bpk", "--strokes=strokes.txt", "--size=320x240"])
        .arg("--out=want.png")
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .status();
    assert!(program.unwrap().success());
    let want = codecs::open(dir.path().join("want.png")).unwrap().to_rgb8();
    let url = format!("http://{address}/drawing.html?size=320x240");
    let got = screenshot(dir.path(), &url, &want, &[]);
    assert!(same(&got, &want), "the drawing and the answer");
    assert!(got.pixels().any(|p| p.0 == [0, 0, 255]), "there is an answer");
}
