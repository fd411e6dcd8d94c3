//! The web page in a headless Chromium: its canvas shows what the program writes to a file.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

/// Serves one file of the page.
fn answer(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let (name, kind) = match line.split(['?', ' ']).nth(1) {
        Some("/") => ("index.html", "text/html"),
        Some("/kiosk.wasm") => ("kiosk.wasm", "application/wasm"),
        _ => {
            return reader.get_mut().write_all(b"HTTP/1.0 404 Not Found\r\n\r\n");
        }
    };
    let dist = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/web/dist"));
    let bytes = std::fs::read(dist.join(name))?;
    let length = bytes.len();
    let head =
        format!("HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
    reader.get_mut().write_all(head.as_bytes())?;
    reader.get_mut().write_all(&bytes)
}

#[test]
#[ignore = "needs Chromium and the output of firmware-demo/web/build"]
fn the_page_shows_the_face() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in server.incoming().flatten() {
            std::thread::spawn(|| answer(stream));
        }
    });
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
        let browser = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
            ])
            .args(["--window-size=320,600", "--virtual-time-budget=5000", "--screenshot=got.png"])
            .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
            .arg(format!("http://{address}/?seed={seed}&hold"))
            .current_dir(dir.path())
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .status();
        assert!(browser.unwrap().success());
        let open = |name: &str| image::open(dir.path().join(name)).unwrap().to_rgb8();
        let (want, mut got) = (open("want.png"), open("got.png"));
        let got = image::imageops::crop(&mut got, 0, 0, 320, 344).to_image();
        // Another instruction set adds in another order, so some levels differ by one.
        let off = want.iter().zip(got.iter()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(off.unwrap() <= 1, "seed {seed}: {off:?}");
        assert!(got.iter().any(|v| *v > 100), "there is a face");
    }
}
