//! The image is built by a child cargo, for which a script stands in here.

use crate::{Scene, stderr, stdout};
use std::process::Command;

/// A scene where the target is installed and QEMU prints its arguments and leaves with 0.
fn scene(cargo: &str) -> Scene {
    let scene = Scene::new();
    scene.qemu("echo \"$*\"; exit 33");
    scene.program("rustc", "echo \"${0%/*}\"");
    scene.program("cargo", cargo);
    scene
}

fn build(scene: &Scene) -> Command {
    let mut tool = scene.tool();
    tool.env("CARGO", scene.path("cargo")).env_remove("RUSTC").args(["--timeout", "20"]);
    tool
}

#[test]
fn the_image_that_cargo_names_is_booted() {
    let scene = scene(
        "echo \"$*\" >> \"$0.log\"\n\
         case \"$*\" in *programs*) exit; esac\n\
         echo '{\"target\":{\"name\":\"atoll-kernel\"},\"executable\":\"'\"${0%/*}\"'/image\"}'",
    );
    let left = build(&scene).output().unwrap();
    assert_eq!(left.status.code(), Some(0), "{}", stderr(&left));
    let kernel = format!("-kernel {} ", scene.path("image").display());
    assert!(stdout(&left).contains(&kernel), "{}", stdout(&left));
    let asked = scene.read("cargo.log");
    let mut asked = asked.lines();
    let kernel = asked.next().unwrap_or_default();
    assert!(kernel.contains("--release --package cpudriver --bin atoll-kernel"), "{kernel}");
    assert!(kernel.contains("--target x86_64-unknown-none"), "{kernel}");
    let programs = asked.next().unwrap_or_default();
    assert!(programs.contains("--package programs"), "{programs}");
    assert!(programs.contains("--target x86_64-unknown-linux-gnu"), "{programs}");
    let archive = format!("-initrd {} ", scene.path("programs.archive").display());
    assert!(stdout(&left).contains(&archive), "{}", stdout(&left));
}

#[test]
fn a_build_that_fails_shows_why_and_boots_nothing() {
    let scene = scene("echo 'error: expected one of many things' >&2; exit 101");
    let left = build(&scene).output().unwrap();
    assert_eq!(left.status.code(), Some(125));
    assert!(stderr(&left).contains("error: expected one of many things"), "{}", stderr(&left));
    assert!(stderr(&left).contains("the kernel image does not build"), "{}", stderr(&left));
    assert_eq!(stdout(&left), "");
}

#[test]
fn flags_that_would_replace_the_images_own_are_left_out_and_it_is_said() {
    let scene = scene("echo \"[$RUSTFLAGS] [$CARGO_PKG_NAME] [$CARGO_TARGET_DIR]\" > \"$0.log\"");
    let mut tool = build(&scene);
    tool.env("RUSTFLAGS", "-Copt-level=0").env("CARGO_TARGET_DIR", "elsewhere");
    let left = tool.current_dir(scene.folder.path()).output().unwrap();
    assert!(stderr(&left).contains("RUSTFLAGS is left out"), "{}", stderr(&left));
    // The child runs in the workspace, from where the same words would mean another folder.
    let folder = scene.folder.path().canonicalize().unwrap().join("elsewhere");
    assert_eq!(scene.read("cargo.log"), format!("[] [] [{}]\n", folder.display()));
}
