//! Options of the command line that everything which starts machines shares.

use crate::accel::{self, Accel, Wanted};
use crate::machine::{Board, Machine, Memory};
use crate::{image, programs, tools};
use anyhow::ensure;
use proto::boot::Clock;
use std::path::PathBuf;

/// The machine to start, as a user describes it. Flattened into the options of a command.
#[derive(Clone, Debug, clap::Args)]
pub struct MachineArgs {
    /// QEMU's machine: microvm, q35 or pc; QEMU's own options may follow, as in `microvm,acpi=off`
    #[arg(long, value_name = "NAME", default_value_t)]
    pub machine: Board,
    /// Memory of the guest, as in 64M or 2G; by default 128M, above 64 cores 256M
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Memory>,
    /// CPU model, as QEMU's -cpu takes it
    #[arg(long, value_name = "MODEL", default_value = "max")]
    pub cpu: String,
    /// What runs the guest's instructions
    #[arg(long, value_name = "ACCELERATOR", value_enum, default_value_t)]
    pub accel: Wanted,
    /// A kernel image to boot, instead of building one and its programs
    #[arg(long, value_name = "PATH")]
    pub image: Option<PathBuf>,
    /// Boots the build for tests, whose console can hold cores up
    #[arg(long)]
    pub probes: bool,
    /// An archive of programs to boot with, instead of those that belong to the sources
    #[arg(long, value_name = "PATH")]
    pub initrd: Option<PathBuf>,
    /// One more program, a static ELF file, which `run` finds by its file's name (can be repeated)
    #[arg(long = "program", value_name = "PATH")]
    pub programs: Vec<PathBuf>,
    /// The QEMU to use, instead of the qemu-system-x86_64 in PATH
    #[arg(long, value_name = "PATH")]
    pub qemu: Option<PathBuf>,
}

impl MachineArgs {
    /// Finds or installs QEMU, builds the image, chooses the accelerator, and returns the machine.
    ///
    /// # Errors
    ///
    /// When one of these is not to be had; the text says what to do.
    pub fn prepare(&self, clock: Clock) -> anyhow::Result<Machine> {
        let qemu = tools::qemu(self.qemu.as_deref())?;
        let accel = self.accelerator(clock)?;
        let build = if self.probes { image::build_with_probes } else { image::build };
        let image = self.image.clone().map_or_else(build, Ok)?;
        if self.image.is_some() {
            image::check(&image)?;
        }
        let archive = match &self.initrd {
            None if self.image.is_none() => Some(programs::build(&image)?),
            given => given.clone(),
        };
        let programs = programs::with_more(archive, &self.programs)?;
        Ok(Machine {
            board: self.machine.clone(),
            programs,
            memory: self.memory,
            cpu: self.cpu.clone(),
            accel,
            clock,
            ..Machine::new(qemu, image)
        })
    }

    /// Only TCG counts instructions, so there is no choice when they are the clock.
    fn accelerator(&self, clock: Clock) -> anyhow::Result<Accel> {
        if clock == Clock::Time {
            return accel::choose(self.accel);
        }
        ensure!(self.accel != Wanted::Kvm, "KVM does not count instructions: use --accel tcg");
        Ok(Accel::Tcg)
    }
}
