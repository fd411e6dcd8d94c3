//! Who may depend on whom.

use std::process::Command;

use tests::root;

/// `cargo tree` of the normal dependencies of a package, one crate per line.
fn tree(package: &str, features: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--prefix", "none", "-e", "normal", "-p", package])
        .args(features)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|l| l.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_core_depends_on_nothing() {
    for features in
        [&["--no-default-features"][..], &["--no-default-features", "--features", "std"]]
    {
        assert_eq!(tree("runtime", features), ["runtime", "runtime-core"]);
    }
    assert_eq!(tree("runtime-core", &["--features", "std"]), ["runtime-core"]);
}

#[test]
fn neither_the_runtime_nor_the_kiosk_knows_burn() {
    for (package, features) in [
        ("runtime", &[][..]),
        ("firmware-demo", &["--no-default-features"][..]),
        ("firmware-demo", &[][..]),
    ] {
        let all = tree(package, features);
        assert!(!all.iter().any(|name| name.starts_with("burn")), "{package}: {all:?}");
        assert!(!all.contains(&"trainer".into()));
    }
}

#[test]
fn the_loops_of_training_do_not_know_burn() {
    let all = tree("loops", &[]);
    assert!(!all.iter().any(|name| name.starts_with("burn")), "{all:?}");
}

#[test]
fn networks_know_neither_the_runtime_nor_the_trainer() {
    let all = tree("models", &[]);
    assert!(all.contains(&"burn".into()));
    assert!(
        !all.iter().any(|name| ["runtime", "trainer", "burn-dataset"].contains(&name.as_str()))
    );
}
