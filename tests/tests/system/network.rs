//! No program talks to a network: `strace` sees no system call for one.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::Command;

use tests::{program, root};

#[test]
fn nothing_is_sent_or_received() {
    let dir = tempfile::tempdir().unwrap();
    let traced = |program: &std::ffi::OsStr, line: &str| {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", "trace=%network", "-o", "calls"]).arg(program);
        command.args(line.split_whitespace()).current_dir(dir.path()).env_remove("DISPLAY");
        command.output()
    };
    // In a container it may be forbidden.
    if !traced("true".as_ref(), "").is_ok_and(|output| output.status.success()) {
        println!("strace is not there, or may not trace");
        return;
    }
    let model = root().join("models/pretrained/faces-tiny.onnx");
    let lines = [
        ("runtime", "generate --grid 3x4 --out a.png".into()),
        ("runtime", format!("convert {} --precision int8 --faces 1 --out a.bpk", model.display())),
        (
            "trainer",
            "fit --size 16 --ngf 2 --ndf 2 --nz 4 --batch 16 --set drawn=32 --images 32 --out run"
                .into(),
        ),
        ("trainer", "export run".into()),
        ("trainer", "data draw --out drawings --lines --channels 1 --count 2 --size 32".into()),
        ("trainer", "data inspect drawings".into()),
        (
            "trainer",
            "fit --recipe pix2pix --size 32 --ngf 2 --ndf 2 --set drawn=8 --images 4 --out pairs"
                .into(),
        ),
        ("runtime", "translate pairs/export/generator.onnx drawings --out faces".into()),
        ("firmware-demo", "--frames 2 --size 32x32 --out a.gif".into()),
    ];
    for (name, line) in lines {
        let output = traced(program(name).as_os_str(), &line).unwrap();
        assert!(output.status.success(), "{name} {line}: {output:?}");
        let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
        assert_eq!(calls, "", "{name} {line}");
    }
}
