//! What the coordinator is told, written to the device for recordings if the command line asks for that.

use crate::arch::record;
use crate::options::Options;
use monitor::Config;
use monitor::record::{Recorder, Sink};

/// The device that takes it.
#[derive(Debug)]
pub(super) struct Device;

impl Sink for Device {
    fn put(&mut self, bytes: &[u8]) {
        record::write(bytes);
    }
}

/// Begins to record, if that is asked for and there is something to record to.
pub(super) fn begin(
    options: Options<'_>,
    config: Config,
    now: u64,
    usable: &[bool],
) -> Option<Recorder<Device>> {
    let begins = options.record && record::is_there();
    begins.then(|| Recorder::new(Device, config, now, usable))
}
