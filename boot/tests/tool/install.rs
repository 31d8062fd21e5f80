//! What a fresh machine lacks is installed, or named in one command.

use crate::{Scene, assert_advice, stderr};
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

#[test]
fn without_qemu_and_package_manager_the_command_to_type_is_told() {
    assert_advice(&Scene::new().boot().output().unwrap(), "qemu");
}

#[test]
fn qemu_is_installed_after_the_list_of_packages_was_fetched() {
    let scene = Scene::new();
    // Installing makes a QEMU whose guest leaves with 5.
    scene.program(
        "apt-get",
        "cd \"${0%/*}\"; echo \"$*\" >> log; [ $1 = update ] && exit\n\
         printf '#!/bin/sh\\nexit 43\\n' > qemu-system-x86_64; /bin/chmod +x qemu-system-x86_64",
    );
    scene.program("sudo", "[ $1 = -n ] && shift; [ $1 = true ] && exit; exec \"$@\"");
    let left = scene.boot().output().unwrap();
    assert_eq!(left.status.code(), Some(5), "{}", stderr(&left));
    assert!(stderr(&left).contains("QEMU is missing, installing it: "), "{}", stderr(&left));
    let steps = scene.read("log");
    assert!(
        steps.starts_with("update\ninstall ") && steps.contains("qemu-system-x86\n"),
        "{steps}"
    );
}

#[test]
fn an_installation_that_fails_is_shown_with_the_command_to_type() {
    let scene = Scene::new();
    scene.program("apt-get", "echo no network >&2; exit 100");
    scene.program("sudo", "[ $1 = -n ] && shift; [ $1 = true ] && exit; exec \"$@\"");
    let left = scene.boot().output().unwrap();
    assert!(stderr(&left).contains("no network"), "{}", stderr(&left));
    // Said once before trying, as text, and once in the end, to type.
    assert_advice(&left, "apt-get update && ");
}

#[test]
fn nobody_is_asked_for_a_password() {
    // As root there is no sudo to ask.
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        return assert_no_password_as_user_nobody();
    }
    let scene = Scene::new();
    scene.program("apt-get", "echo called > \"$0.log\"");
    scene.program("sudo", "exit 1");
    assert_advice(&scene.boot().output().unwrap(), "sudo apt-get update && sudo apt-get install");
    assert_eq!(scene.read("apt-get.log"), "");
}

/// The same in the shoes of another user, when the tests run as root and there is a tool for it.
fn assert_no_password_as_user_nobody() {
    let scene = Scene::new();
    scene.program("apt-get", "echo called > \"$0.log\"");
    scene.program("sudo", "exit 1");
    // The program may lie where only root may go.
    let tool = env!("CARGO_BIN_EXE_atoll");
    assert!(Command::new("cp").arg(tool).arg(scene.path("atoll")).status().unwrap().success());
    for open in [scene.folder.path().to_path_buf(), scene.path("atoll")] {
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(open, all).unwrap();
    }
    let left = Command::new("setpriv")
        .args(["--reuid=65534", "--clear-groups", "env", "-i"])
        .arg(format!("PATH={}", scene.folder.path().display()))
        .arg(scene.path("atoll"))
        .arg("--image")
        .arg(scene.path("image"))
        .output()
        .unwrap();
    assert_advice(&left, "sudo apt-get update && sudo apt-get install");
    assert_eq!(scene.read("apt-get.log"), "");
}

#[test]
fn the_rust_target_is_installed_through_rustup() {
    let scene = Scene::new();
    scene.qemu("exit 33");
    scene.program("rustc", "echo \"${0%/*}/libdir\"");
    scene.program("rustup", "echo \"$*\" > \"$0.log\"; /bin/mkdir \"${0%/*}/libdir\"");
    let left = scene.tool().arg("setup").env_remove("RUSTC").output().unwrap();
    assert_eq!(left.status.code(), Some(0), "{}", stderr(&left));
    assert_eq!(
        scene.read("rustup.log"),
        "target add x86_64-unknown-none x86_64-unknown-linux-gnu\n"
    );
}

#[test]
fn without_rustup_the_command_to_type_is_told() {
    let scene = Scene::new();
    scene.qemu("exit 33");
    scene.program("rustc", "echo /nonexistent");
    let left = scene.tool().arg("setup").env_remove("RUSTC").output().unwrap();
    assert_advice(&left, "rustup target add x86_64-unknown-none");
    std::fs::remove_file(scene.path("rustc")).unwrap();
    let left = scene.tool().arg("setup").env_remove("RUSTC").output().unwrap();
    assert_advice(&left, "https://sh.rustup.rs");
}

#[test]
fn a_qemu_or_an_image_that_is_not_there_is_named() {
    let scene = Scene::new();
    let left = scene.boot().args(["--qemu", "/nonexistent/qemu"]).output().unwrap();
    assert_eq!(left.status.code(), Some(125));
    assert!(stderr(&left).contains("/nonexistent/qemu is no program"), "{}", stderr(&left));
    scene.qemu("exit 33");
    let left = scene.tool().args(["--image", "/nonexistent/image"]).output().unwrap();
    assert_eq!(left.status.code(), Some(125));
    assert!(stderr(&left).contains("/nonexistent/image is not there"), "{}", stderr(&left));
    for file in ["junk", ""] {
        std::fs::write(scene.path("image"), file).unwrap();
        let left = scene.boot().output().unwrap();
        assert_eq!(left.status.code(), Some(125));
        assert!(stderr(&left).contains("image is no kernel image"), "{}", stderr(&left));
    }
}
