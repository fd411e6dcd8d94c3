//! Drawing: with a script into files, and with a mouse in a window of a virtual X server.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use image::RgbImage;
use runtime::Input;
use runtime::graph::{Facts, Graph, Layer};
use runtime::op::{Activation, Op, Shape, Window};

use crate::window::Desk;

/// A model that makes blue of black and black of white, from pictures of 32 x 32 pixels.
pub fn record(channels: usize) -> Vec<u8> {
    let op = Op::Conv { out: 3, window: Window { kernel: 1, stride: 1, padding: 0 } };
    let blue = [0, 0, 1].map(|own| vec![-8.0 / channels as f32 * own as f32; channels]);
    let layer = Layer {
        activation: Activation::Tanh,
        weight: blue.concat(),
        bias: vec![-8.0, -8.0, 0.0],
        ..Layer::new("out", op)
    };
    let picture = Shape::new(channels, 32, 32);
    let graph =
        Graph { input: Input::Picture(picture), layers: vec![layer], facts: Facts::default() };
    graph.to_record().unwrap()
}

fn run(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firmware-demo"));
    command.args(args).current_dir(dir).stdin(Stdio::null()).env_remove("DISPLAY");
    command.output().unwrap()
}

fn ok(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn error(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(!output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A folder with models and a script: two strokes, the first of them in row 16 of the picture.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("sketch.bpk"), record(1)).unwrap();
    fs::write(dir.path().join("color.bpk"), record(3)).unwrap();
    let script = "# 320 x 240 pixels: pads of 158 at (0, 17) and (162, 17), buttons from row 192\n\
                  down 2 98\nmove 155 98\nup\ndown 79 20\nmove 79 170\nup\n";
    fs::write(dir.path().join("strokes.txt"), script).unwrap();
    dir
}

const SKETCH: [&str; 5] = [
    "--sketch",
    "--model=sketch.bpk",
    "--strokes=strokes.txt",
    "--size=320x240",
    "--scaling=nearest",
];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SKETCH[..], more].concat()
}

fn open(path: impl AsRef<Path>) -> RgbImage {
    codecs::open(path).unwrap().to_rgb8()
}

const BLUE: [u8; 3] = [0, 0, 255];

fn count(picture: &RgbImage, color: [u8; 3]) -> usize {
    picture.pixels().filter(|p| p.0 == color).count()
}

#[test]
fn a_script_draws_and_the_model_answers() {
    let dir = folder();
    ok(dir.path(), &with(&["--out=a.png"]));
    let picture = open(dir.path().join("a.png"));
    // The strokes are 5 pixels wide, as is a pixel of the model's on the pad.
    assert_eq!(picture[(20, 98)].0, [0; 3]);
    assert_eq!([picture[(20, 90)].0, picture[(20, 105)].0], [[255; 3]; 2]);
    // In the answer they are row 16 and column 16, which are 4 or 5 pixels wide.
    assert_eq!([picture[(170, 98)].0, picture[(243, 30)].0], [BLUE; 2]);
    assert_eq!([picture[(170, 90)].0, picture[(230, 30)].0], [[0; 3]; 2]);
    let blue = count(&picture, BLUE);
    assert!((2 * 4 * 150..2 * 6 * 158).contains(&blue), "{blue}");
    // A model of colors sees the same.
    ok(dir.path(), &with(&["--model=color.bpk", "--out=b.png"]));
    assert!(open(dir.path().join("b.png")) == picture);
}

#[test]
fn every_event_is_a_frame_and_undo_returns_to_an_earlier_one() {
    let dir = folder();
    let script = fs::read_to_string(dir.path().join("strokes.txt")).unwrap();
    fs::write(dir.path().join("strokes.txt"), script + "undo\nundo\nundo\ndown 9 99\nclear\n")
        .unwrap();
    ok(dir.path(), &with(&["--out=frames"]));
    let frame = |n: usize| open(dir.path().join(format!("frames/frame-{n:06}.png")));
    assert!(!dir.path().join("frames/frame-000012.png").exists());
    // Nothing, three events, three events, three times undo, a dot, clear.
    let [blank, one, two] = [0, 3, 6].map(frame);
    assert!(blank != one && one != two);
    assert_eq!([count(&blank, BLUE), count(&frame(1), BLUE) / 20], [0, 1], "a dot, at once");
    assert!(frame(7) == one && frame(8) == blank && frame(9) == blank);
    assert!(frame(10) != blank && frame(11) == blank);
    // Buttons on the picture do the same, and there is an end before the end of the script.
    let script = "down 2 98\nmove 155 98\nup\ndown 79 20\nup\ndown 160 220\nup\ndown 40 220\nup\n";
    fs::write(dir.path().join("strokes.txt"), script).unwrap();
    ok(dir.path(), &with(&["--out=undone.png", "--frames=8"]));
    assert!(open(dir.path().join("undone.png")) == one);
    ok(dir.path(), &with(&["--out=cleared.png"]));
    assert!(open(dir.path().join("cleared.png")) == blank);
}

#[test]
fn what_is_saved() {
    let dir = folder();
    let script = "save\ndown 2 98\nmove 155 98\nup\nsave\nclear\ndown 9 99\nup\ndown 300 230\nup\n";
    fs::write(dir.path().join("strokes.txt"), script).unwrap();
    let saved = "nothing is drawn that could be saved\n\
                 saved kept/sketch-000001.png\nsaved kept/sketch-000002.png\n";
    assert_eq!(ok(dir.path(), &with(&["--out=a.png", "--saves=kept"])), saved);
    let picture = open(dir.path().join("kept/sketch-000001.png"));
    assert_eq!(picture.dimensions(), (516, 256));
    assert_eq!([picture[(3, 3)].0, picture[(128, 132)].0], [[255; 3], [0; 3]]);
    assert_eq!(count(&picture, BLUE), 256 * 8, "a row of the model's 32");
    // The next run goes on counting.
    fs::write(dir.path().join("strokes.txt"), "down 9 99\nsave\n").unwrap();
    let next = ok(dir.path(), &with(&["--out=a.png", "--saves=kept"]));
    assert_eq!(next, "saved kept/sketch-000003.png\n");
    // The button says so.
    let script = "down 9 99\nup\nsave\n";
    fs::write(dir.path().join("strokes.txt"), script).unwrap();
    ok(dir.path(), &with(&["--out=frames"]));
    let frame = |n: usize| open(dir.path().join(format!("frames/frame-{n:06}.png")));
    assert!(frame(2) != frame(3));
    // Without a hand at it, a failure ends the program.
    let text = error(dir.path(), &with(&["--out=a.png", "--saves=strokes.txt"]));
    assert!(text.starts_with("error: cannot create strokes.txt: "), "{text}");
}

#[test]
fn panels_that_are_turned_and_high() {
    let dir = folder();
    ok(dir.path(), &with(&["--out=a.png"]));
    // On a panel that is mounted a quarter to the right, with the same picture upright.
    let script = fs::read_to_string(dir.path().join("strokes.txt")).unwrap();
    let turned = script.lines().skip(1).map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            [verb, x, y] => format!("{verb} {} {x}\n", 239 - y.parse::<i32>().unwrap()),
            _ => format!("{line}\n"),
        }
    });
    fs::write(dir.path().join("turned.txt"), turned.collect::<String>()).unwrap();
    let more = ["--strokes=turned.txt", "--size=240x320", "--rotate=90", "--out=b.png"];
    ok(dir.path(), &with(&more));
    let upright = image::imageops::rotate270(&open(dir.path().join("b.png")));
    assert!(upright == open(dir.path().join("a.png")));
    // On a high one, the answer is below.
    fs::write(dir.path().join("strokes.txt"), "down 56 70\nmove 184 70\nup\n").unwrap();
    ok(dir.path(), &with(&["--size=240x320", "--out=c.png"]));
    let high = open(dir.path().join("c.png"));
    let first = high.enumerate_pixels().find(|(.., p)| p.0 == BLUE).unwrap();
    assert!((138 + 60..138 + 80).contains(&first.1), "row {}", first.1);
}

#[test]
fn what_does_not_suit_says_what_would() {
    let dir = folder();
    fs::write(dir.path().join("wrong.txt"), "down 1 2\ndraw\nup 3\n").unwrap();
    let faces = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pretrained/faces-tiny-int8.bpk");
    let train = "`trainer fit --recipe pix2pix --data PHOTOS --pair edges`\n";
    let cases: [(&[&str], &str, &str); 9] = [
        (
            &["--sketch"],
            "error: no DISPLAY: a sketch needs a window, or a script ",
            "(--strokes FILE)\n",
        ),
        (&["--sketch", "--model", faces], "error: ", train),
        (
            &["--model=sketch.bpk"],
            "error: sketch.bpk makes pictures from pictures: add --sketch to draw one, or use ",
            "runtime translate\n",
        ),
        (
            &["--sketch", "--model=sketch.bpk"],
            "error: no DISPLAY: a sketch needs a window, or a script ",
            "(--strokes FILE)\n",
        ),
        (
            &["--sketch", "--model=sketch.bpk", "--out=a.gif"],
            "error: a file cannot be drawn on: ",
            "(--strokes FILE)\n",
        ),
        (
            &["--sketch", "--model=sketch.bpk", "--display=terminal"],
            "error: a terminal cannot be drawn on: ",
            "use --display window\n",
        ),
        (&["--strokes=strokes.txt"], "error: strokes needs sketch: ", "add --sketch\n"),
        (
            &["--display=window", "--out=a.gif"],
            "error: out writes a file, but the display is window: ",
            "add --display headless\n",
        ),
        (
            &["--sketch", "--model=sketch.bpk", "--strokes=none.txt"],
            "error: cannot read none.txt: ",
            "\n",
        ),
    ];
    for (args, start, end) in cases {
        let text = error(dir.path(), args);
        let whole = text.starts_with(start) && text.ends_with(end) && text.lines().count() == 1;
        assert!(whole, "{args:?}: {text}");
    }
    let text = error(dir.path(), &with(&["--strokes=wrong.txt", "--out=a.png"]));
    let verbs = "is not down X Y, move X Y, up, undo, clear or save\n";
    let want = format!(
        "error: wrong.txt, line 2: \"draw\" {verbs}error: wrong.txt, line 3: \"up 3\" {verbs}"
    );
    assert_eq!(text, want);
    for flag in ["--strokes", "--config"] {
        let text = error(dir.path(), &["--sketch", "--model=sketch.bpk", flag, "/dev/zero"]);
        let long = "error: cannot read /dev/zero: the file has more than 16777216 bytes\n";
        assert_eq!(text, long);
    }
    let text = error(dir.path(), &with(&["--size=9x7", "--out=a.png"]));
    assert_eq!(text, "error: a display of 9 x 7 pixels is too small to draw on\n");
    let text = error(dir.path(), &with(&["--seed=5"]));
    assert!(
        text.contains("'--sketch [<BOOL>]' cannot be used with") && text.contains("--seed"),
        "{text}"
    );
    assert!(!dir.path().join("a.png").exists() && !dir.path().join("a.gif").exists());
}

/// What a script draws, as the program writes it to a file of the window's size.
fn drawn(dir: &Path, script: &str) -> RgbImage {
    fs::write(dir.join("want.txt"), script).unwrap();
    let args = ["--strokes=want.txt", "--size=320x240", "--scaling=nearest", "--out=want.png"];
    ok(dir, &[&["--sketch", "--model=sketch.bpk"], &args[..]].concat());
    open(dir.join("want.png"))
}

#[test]
fn a_mouse_draws_in_a_window() {
    let args = ["--sketch", "--model=sketch.bpk", "--size=320x240", "--scaling=nearest"];
    let dir = folder();
    let blank = drawn(dir.path(), "");
    let one = drawn(dir.path(), "down 10 98\nmove 150 98\nup\n");
    let two = drawn(dir.path(), "down 10 98\nmove 150 98\nup\ndown 79 30\nmove 79 160\nup\n");
    let Some(mut desk) = Desk::start_in(dir, &args) else {
        return;
    };
    let window = desk.window();
    desk.until("blank paper", window, &blank);
    let stroke = |from: (i16, i16), to: (i16, i16)| {
        desk.point(window, from);
        desk.button(true);
        desk.point(window, to);
        desk.button(false);
    };
    // All of it between two looks of the program.
    stroke((10, 98), (150, 98));
    desk.until("a stroke and its answer", window, &one);
    stroke((79, 30), (79, 160));
    desk.until("two strokes", window, &two);
    // The button for undo, then the keys.
    stroke((160, 215), (160, 215));
    desk.point(window, (160, 100));
    desk.until("one stroke", window, &one);
    desk.press('s' as u32);
    let saved = desk.dir.path().join("sketches/sketch-000001.png");
    let start = Instant::now();
    while !saved.exists() {
        assert!(start.elapsed() < Duration::from_secs(30), "nothing is saved");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(count(&open(&saved), BLUE), 29 * 8 * 8, "29 of the model's pixels");
    desk.press('c' as u32);
    desk.until("blank paper again", window, &blank);
    // A quick scrawl: many events, none of them lost.
    let points: Vec<(i16, i16)> = (0..60).map(|i| (10 + 2 * i, 60 + 80 * (i % 2))).collect();
    let lines: String = points[1..].iter().map(|(x, y)| format!("move {x} {y}\n")).collect();
    let want = drawn(desk.dir.path(), &format!("down 10 60\n{lines}up\n"));
    desk.point(window, (10, 60));
    desk.button(true);
    points[1..].iter().for_each(|at| desk.point(window, *at));
    desk.button(false);
    desk.until("a scrawl", window, &want);
    desk.press('q' as u32);
    desk.ends_well();
}
