//! The program without a display: files, configuration, signals, a framebuffer in a file.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use image::{AnimationDecoder, codecs::gif::GifDecoder};

fn kiosk(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firmware-demo"));
    command.args(args).current_dir(dir).stdin(Stdio::null());
    command.env_remove("DISPLAY");
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    kiosk(dir, args).output().unwrap()
}

fn ok(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn error(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Sends SIGTERM and waits. Returns what the program printed on standard error.
fn terminate(mut child: Child) -> String {
    let kill = Command::new("kill").arg(child.id().to_string()).status();
    assert!(kill.unwrap().success());
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "the program does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut text = String::new();
    if let Some(mut err) = child.stderr.take() {
        err.read_to_string(&mut text).unwrap();
    }
    text
}

/// Waits until a condition holds.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const QUICK: [&str; 3] = ["--fps=10", "--dwell-s=0.2", "--morph-s=0.4"];

#[test]
fn frames_are_the_same_in_a_folder_and_a_gif() {
    let dir = tempfile::tempdir().unwrap();
    let args =
        |out| [&QUICK[..], &["--frames=8", "--size=48x64", "--colors=mono", "--out", out]].concat();
    assert_eq!(ok(dir.path(), &args("frames")), "8 frames in frames\n");
    assert_eq!(ok(dir.path(), &args("faces.gif")), "8 frames in faces.gif\n");
    let mut names: Vec<_> =
        fs::read_dir(dir.path().join("frames")).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let frames: Vec<_> = names.iter().map(|n| codecs::open(n).unwrap().to_rgba8()).collect();
    assert_eq!(frames.len(), 8);
    assert_eq!(frames[0], frames[1], "the face dwells");
    assert!(frames[1] != frames[2] && frames[5] != frames[6]);
    let file = std::io::BufReader::new(fs::File::open(dir.path().join("faces.gif")).unwrap());
    let gif = GifDecoder::new(file).unwrap().into_frames().collect_frames().unwrap();
    // Two frames of dwell, four of morph, two of dwell; repeated frames are written once. The palette
    // keeps two colors exactly.
    assert_eq!(gif.len(), 6);
    let delays: Vec<_> = gif.iter().map(|f| f.delay().numer_denom_ms().0).collect();
    assert_eq!(delays, [200, 100, 100, 100, 100, 200]);
    for (n, frame) in [0, 2, 3, 4, 5, 6].iter().zip(&gif) {
        assert_eq!(frames[*n], *frame.buffer(), "frame {n}");
    }
    let left = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name());
    assert_eq!(left.count(), 2, "the folder and the GIF");
}

#[test]
fn the_memory_of_a_panel_is_the_picture_in_16_bits() {
    let dir = tempfile::tempdir().unwrap();
    for out in ["a.rgb565", "a.png"] {
        ok(dir.path(), &["--frames=1", "--size=50x40", "--colors=rgb565", "--out", out]);
    }
    let bytes = fs::read(dir.path().join("a.rgb565")).unwrap();
    let words = bytes.chunks(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let picture = codecs::open(dir.path().join("a.png")).unwrap().to_rgb8();
    let levels =
        |p: &image::Rgb<u8>| (p[0] as u16 >> 3) << 11 | (p[1] as u16 >> 2) << 5 | p[2] as u16 >> 3;
    assert!(words.eq(picture.pixels().map(levels)));
}

#[test]
fn without_a_display_it_writes_a_file_and_prints_why() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["--frames=2", "--size=64x64"]);
    assert!(output.status.success());
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(printed, "no DISPLAY and no terminal: faces in a file\n");
    assert!(dir.path().join("kiosk.gif").exists());
}

#[test]
fn a_configuration_file_and_flags_over_it() {
    let dir = tempfile::tempdir().unwrap();
    let text = "# a small panel\nsize = \"40x30\"\nframes = 1\nout = \"a.png\"\nseed = 7\ncaption = false\n";
    fs::write(dir.path().join("kiosk.toml"), text).unwrap();
    ok(dir.path(), &["--config", "kiosk.toml"]);
    ok(dir.path(), &["--config", "kiosk.toml", "--out=b.png", "--size=30x30"]);
    ok(dir.path(), &["--seed=7", "--frames=1", "--size=40x30", "--caption=false", "--out=c.png"]);
    let open = |name: &str| codecs::open(dir.path().join(name)).unwrap();
    assert_eq!((open("a.png").width(), open("b.png").width()), (40, 30));
    assert_eq!(open("a.png"), open("c.png"));
}

#[test]
fn the_example_configuration_is_valid() {
    let dir = tempfile::tempdir().unwrap();
    let example = include_str!("../../kiosk.toml");
    // Also with the panel that is commented out.
    let panel = example.split_once("# display = ").unwrap().1.replace("\n# ", "\n");
    let lines = example.lines().filter(|l| !l.starts_with("display"));
    let whole = format!("{}\ndisplay = {panel}", lines.collect::<Vec<_>>().join("\n"));
    for text in [example, &whole] {
        fs::write(dir.path().join("k.toml"), text).unwrap();
        let args =
            ["--config=k.toml", "--display=headless", "--frames=1", "--size=64x64", "--out=a.png"];
        ok(dir.path(), &args);
    }
}

#[test]
fn a_configuration_file_full_of_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("k.toml"), "dwel_s = 1\nfps = -1\nseed = 3\nwake = \"25:00\"\n")
        .unwrap();
    let want = "\
error: k.toml, line 1: unknown key dwel_s; did you mean dwell_s?
error: k.toml, line 2: fps cannot be -1: expected a number from 0.01 to 1000
error: k.toml, line 4: wake cannot be 25:00: expected a time of day from 00:00 to 23:59
";
    assert_eq!(error(dir.path(), &["--config=k.toml"]), want);
    fs::write(dir.path().join("k.toml"), "wake = \"09:00\"\n").unwrap();
    let text = error(dir.path(), &["--config=k.toml"]);
    assert!(text.contains("wake needs sleep"), "{text}");
    let text = error(dir.path(), &["--config=none.toml"]);
    assert!(text.starts_with("error: cannot read none.toml: "), "{text}");
}

#[test]
fn errors_are_one_line() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("short"), "1234567").unwrap();
    fs::write(dir.path().join("face.bpk"), "no record").unwrap();
    fs::write(dir.path().join("net.onnx"), [8, 9]).unwrap();
    // A hole takes no room on the disk.
    fs::File::create(dir.path().join("long.bpk")).unwrap().set_len(1 << 30).unwrap();
    let cases: [(&[&str], &str); 12] = [
        (&["--model=none.bpk"], "error: cannot read none.bpk: "),
        (
            &["--model=long.bpk"],
            "error: cannot read long.bpk: the file has more than 536870912 bytes",
        ),
        (&["--model=face.bpk"], "error: face.bpk: "),
        (&["--display=window"], "error: cannot open a window: "),
        (&["--display=terminal"], "error: standard output is not a terminal"),
        (&["--out=a.mp4"], "error: --out a.mp4: .mp4 is not supported; .gif, .png, "),
        (&["--display=headless", "--out=short/a.gif"], "error: cannot create short: "),
        (&["--device=vulkan:9"], "error: --device vulkan:9: "),
        (&["--display=framebuffer", "--path=none"], "error: cannot open none: "),
        (
            &["--display=framebuffer", "--path=short"],
            "error: the size of short is unknown: set it with --size",
        ),
        (
            &["--display=framebuffer", "--path=short", "--size=9x9", "--depth=16", "--stride=17"],
            "error: a stride of 17 bytes does not fit a row of 9 pixels: expected 18 to 1048576",
        ),
        (&["--display=spi", "--spi=none"], "error: cannot open none: "),
    ];
    for (args, want) in cases {
        let text = error(dir.path(), args);
        assert!(text.starts_with(want) && text.lines().count() == 1, "{args:?}: {text}");
    }
    let text = error(dir.path(), &["--model=net.onnx"]);
    assert!(
        text.ends_with("; convert it with `runtime convert net.onnx --out net.bpk`\n"),
        "{text}"
    );
    assert!(!dir.path().join("a.mp4").exists());
}

#[test]
fn files_go_into_new_folders_and_an_existing_folder_is_one_whatever_its_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("take.2")).unwrap();
    for (out, want) in [
        ("new/a.gif", "new/a.gif"),
        ("take.2", "take.2/frame-000000.png"),
        ("take.3/", "take.3/frame-000000.png"),
        ("frames", "frames/frame-000000.png"),
    ] {
        ok(dir.path(), &["--frames=1", "--size=16x16", "--out", out]);
        assert!(dir.path().join(want).is_file(), "{out}");
    }
}

#[test]
fn a_gif_on_standard_output_is_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let args = [&QUICK[..], &["--frames=5", "--size=16x16", "--out"]].concat();
    ok(dir.path(), &[&args[..], &["a.gif"]].concat());
    let output = run(dir.path(), &[&args[..], &["-"]].concat());
    assert!(output.status.success());
    assert_eq!(output.stdout, fs::read(dir.path().join("a.gif")).unwrap());
    assert_eq!(output.stderr, b"5 frames on standard output\n");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no file named -");
}

#[test]
fn closed_and_full_streams_are_errors_not_panics() {
    let dir = tempfile::tempdir().unwrap();
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let args = ["--frames=2", "--size=64x64", "--out"];
    for out in ["-", "a.gif"] {
        let mut command = kiosk(dir.path(), &[&args[..], &[out]].concat());
        let output = command.stdout(full()).stderr(Stdio::piped()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{out}: {text}");
        assert!(text.starts_with("error: cannot write standard output: "), "{out}: {text}");
    }
    let mut command = kiosk(dir.path(), &["--frames=1", "--size=16x16"]);
    let status = command.stdout(Stdio::null()).stderr(full()).status();
    assert!(status.unwrap().success(), "a notice that nobody reads");
    let mut command = kiosk(dir.path(), &["--out=a.mp4"]);
    let status = command.stderr(full()).status();
    assert_eq!(status.unwrap().code(), Some(1));
}

#[test]
fn help_version_completions_and_the_man_page() {
    let dir = tempfile::tempdir().unwrap();
    let (short, long) = (ok(dir.path(), &["-h"]), ok(dir.path(), &["--help"]));
    assert!(long.lines().count() > 2 * short.lines().count());
    assert!(short.contains("--device <DEVICE>") && !long.contains("--completions"));
    assert_eq!(
        ok(dir.path(), &["--version"]),
        concat!("firmware-demo ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert!(ok(dir.path(), &["--completions=bash"]).contains("--favorites"));
    let man = ok(dir.path(), &["--man"]);
    assert!(man.contains(".TH firmware-demo 1") && man.contains("favorites"));
}

#[test]
fn the_framebuffer_shows_the_picture_and_sigterm_blanks_it() {
    // Depth, whether red and blue are swapped, bytes per row.
    for (depth, bgr, stride) in
        [(16, false, 100), (16, true, 96), (24, false, 150), (32, false, 192), (32, true, 256)]
    {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("fb"), []).unwrap();
        let (bits, row) = (format!("--depth={depth}"), format!("--stride={stride}"));
        let common = ["--size=48x56", "--seed=4", "--hold"];
        let show = [
            "--display=framebuffer",
            "--path=fb",
            &bits,
            &row,
            if bgr { "--bgr" } else { "--bgr=false" },
        ];
        let child = kiosk(dir.path(), &[&common[..], &show].concat()).spawn().unwrap();
        let read = || fs::read(dir.path().join("fb")).unwrap();
        until("a frame", || read().len() == stride * 56);
        let got = read();
        let colors = if depth == 16 { "--colors=rgb565" } else { "--colors=rgb888" };
        ok(dir.path(), &[&common[..], &["--out=want.png", "--frames=1", colors]].concat());
        let want = codecs::open(dir.path().join("want.png")).unwrap().to_rgb8();
        for (x, y, pixel) in want.enumerate_pixels() {
            let at = &got[y as usize * stride + x as usize * (depth / 8)..][..depth / 8];
            let [r, g, b] = match depth {
                16 => {
                    let word = u16::from_le_bytes([at[0], at[1]]);
                    [word >> 11, word >> 5 & 63, word & 31].map(|v| v as u8)
                }
                _ => [at[2], at[1], at[0]],
            };
            let got = if bgr { [b, g, r] } else { [r, g, b] };
            let want = match depth {
                16 => [pixel[0] >> 3, pixel[1] >> 2, pixel[2] >> 3],
                _ => pixel.0,
            };
            assert_eq!(got, want, "{depth} bits, bgr {bgr}: ({x}, {y})");
        }
        terminate(child);
        assert!(read().iter().all(|b| *b == 0), "the panel is left black");
    }
}

#[test]
fn a_lost_display_is_reopened_after_a_growing_pause() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--display=framebuffer", "--path=/dev/full", "--size=8x8", "--depth=16"];
    let mut child = kiosk(dir.path(), &args).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    let [first, second] = [(); 2].map(|()| lines.next().expect("another line"));
    assert!(first.starts_with("/dev/full failed: No space left"), "{first}");
    assert!(first.ends_with("again in 1 s") && second.ends_with("again in 2 s"), "{second}");
    assert!(began.elapsed() >= Duration::from_secs(1));
    terminate(child);
}

#[test]
fn the_position_outlives_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let common = [&QUICK[..], &["--size=32x32", "--caption=false", "--position=place"]].concat();
    ok(dir.path(), &[&common[..], &["--frames=9", "--out=first"]].concat());
    let bytes = fs::read(dir.path().join("place")).unwrap();
    assert_eq!(bytes, 8u64.to_le_bytes(), "the last frame that was shown");
    ok(dir.path(), &[&common[..], &["--frames=1", "--out=again.png"]].concat());
    let open = |name: &str| codecs::open(dir.path().join(name)).unwrap();
    assert_eq!(open("again.png"), open("first/frame-000008.png"));
}

#[test]
fn a_damaged_position_file_starts_the_kiosk() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("place");
    let args = [&QUICK[..], &["--size=32x32", "--position=place", "--frames=3", "--out=a.png"]];
    let start = |before: &[u8]| {
        fs::write(&place, before).unwrap();
        let output = run(dir.path(), &args.concat());
        assert!(output.status.success(), "{output:?}");
        assert_eq!(fs::read(&place).unwrap(), 2u64.to_le_bytes());
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(start(b""), "place is empty: starting at the first face\n");
    let text = "place is not a position, now place.damaged: starting at the first face\n";
    assert_eq!(start(b"1234567"), text);
    // Not a position at all, but a file named by mistake: nothing is lost.
    let text = "place is not a position, now place.damaged-1: starting at the first face\n";
    assert_eq!(start(b"a letter of many words"), text);
    let at = |name: &str| fs::read(dir.path().join(name)).unwrap();
    assert_eq!(at("place.damaged"), b"1234567");
    assert_eq!(at("place.damaged-1"), b"a letter of many words");
    // A folder: there is no position, and no reason not to show faces.
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    let output = run(dir.path(), &args.concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with("cannot read place: "), "{text}");
    assert!(text.contains("cannot write place: "), "{text}");
}

#[test]
fn names_that_are_not_unicode_are_used_exactly() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let flag = |flag: &[u8], name: &[u8]| OsStr::from_bytes(&[flag, name].concat()).to_owned();
    let path = |name: &[u8]| dir.path().join(OsStr::from_bytes(name));
    fs::write(path(b"k\xff"), "frames = 1\nsize = \"32x32\"\n").unwrap();
    let args: [OsString; 4] = [
        flag(b"--config=", b"k\xff"),
        flag(b"--position=", b"p\xff"),
        flag(b"--favorites=", b"f\xff"),
        flag(b"--out=", b"a\xff.png"),
    ];
    let output = kiosk(dir.path(), &[]).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    for name in [&b"p\xff"[..], b"a\xff.png"] {
        assert!(path(name).exists(), "{name:?}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn streams_that_are_closed_or_full_are_no_reason_to_panic() {
    let dir = tempfile::tempdir().unwrap();
    let shell = |line: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(dir.path()).env_remove("DISPLAY");
        let output = command.env("KIOSK", env!("CARGO_BIN_EXE_firmware-demo")).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let quick = "$KIOSK --frames 2 --size 32x32 --out";
    for to in ["2>/dev/full", "2>&-", ">&- 2>&-"] {
        assert_eq!(shell(&format!("{quick} a.gif {to}")).0, Some(0), "{to}");
        assert!(fs::remove_file(dir.path().join("a.gif")).is_ok(), "{to}");
        assert_eq!(shell(&format!("{quick} a.mp4 {to}")).0, Some(1), "{to}");
    }
    let (code, error) = shell(&format!("{quick} - >&-"));
    assert_eq!((code, error.as_str()), (Some(1), "error: --out -: standard output is closed\n"));
    let (code, error) = shell(&format!("{quick} - >/dev/full"));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.starts_with("error: cannot write standard output: "), "{error}");
}

#[test]
fn the_clock_gives_two_kiosks_the_same_face() {
    let dir = tempfile::tempdir().unwrap();
    let common = [
        "--size=32x32",
        "--position=time",
        "--frames=1",
        "--caption=false",
        "--dwell-s=86400",
        "--morph-s=0",
    ];
    let other = |day: &str| ok(dir.path(), &[&common[..], &["--out", day]].concat());
    other("a.png");
    other("b.png");
    ok(dir.path(), &["--size=32x32", "--frames=1", "--caption=false", "--out=start.png"]);
    let open = |name: &str| codecs::open(dir.path().join(name)).unwrap();
    // Midnight (UTC) may fall between the two.
    if open("a.png") != open("b.png") {
        other("a.png");
    }
    assert_eq!(open("a.png"), open("b.png"));
    assert_ne!(open("a.png"), open("start.png"));
}

#[test]
fn asleep_the_picture_is_black() {
    let dir = tempfile::tempdir().unwrap();
    // Awake for one minute, twelve hours from now.
    let output = Command::new("date").arg("+%H %M").output().unwrap();
    let now = String::from_utf8(output.stdout).unwrap();
    let (hour, minute) = now.trim().split_once(' ').unwrap();
    let later = (hour.parse::<u32>().unwrap() + 12) % 24;
    let (wake, sleep) = (
        format!("--wake={later:02}:{minute}"),
        format!("--sleep={later:02}:{:02}", (minute.parse::<u32>().unwrap() + 1) % 60),
    );
    let hours = [wake.as_str(), sleep.as_str()];
    // At 59 minutes past, the minute would become 23 hours.
    let hours = if minute == "59" { ["--wake=00:00", "--sleep=00:01"] } else { hours };
    ok(dir.path(), &[&hours[..], &["--size=32x32", "--frames=1", "--out=night.png"]].concat());
    let night = codecs::open(dir.path().join("night.png")).unwrap().to_rgb8();
    assert!(night.pixels().all(|p| p.0 == [0; 3]));
}

#[test]
fn a_soak_prints_pace_and_memory() {
    let dir = tempfile::tempdir().unwrap();
    let text = ok(dir.path(), &["--soak=40", "--size=320x240"]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("1 faces of 320 x 240 pixels in "));
    assert!(
        lines[1].starts_with("40 faces of 320 x 240 pixels in ")
            && lines[1].ends_with(" KiB resident")
    );
}
