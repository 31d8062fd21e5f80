//! The command `atoll`; see the library of this crate.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    boot::cli::main()
}
