//! What comes from this process's own surroundings: signals and standard input.
//!
//! There is one of each per process, while sessions come and go (a reboot is a new session). So both
//! are read by threads that live as long as the process, and handed to the sessions that listen.

use super::Event;
use crate::{say, terminal};
use std::io::Read as _;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

struct Hub {
    next: u64,
    listeners: Vec<Listener>,
    /// Input that came while no session listened.
    unread: Vec<Event>,
    /// A signal came: sessions end as soon as they begin.
    interrupted: bool,
}

struct Listener {
    id: u64,
    keyboard: bool,
    sender: Sender<Event>,
}

static HUB: Mutex<Hub> =
    Mutex::new(Hub { next: 0, listeners: Vec::new(), unread: Vec::new(), interrupted: false });

fn hub() -> MutexGuard<'static, Hub> {
    HUB.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes SIGINT, SIGTERM and SIGHUP end the sessions ([`crate::verdict::Verdict::Interrupted`]), or the
/// process when there is none. For the command line; a test dies of a signal as usual.
///
/// # Errors
///
/// When handlers cannot be installed, or this was called before.
pub fn catch_signals() -> anyhow::Result<()> {
    Ok(ctrlc::set_handler(interrupt)?)
}

fn interrupt() {
    let mut hub = hub();
    hub.interrupted = true;
    if hub.listeners.is_empty() {
        terminal::restore();
        say("interrupted");
        std::process::exit(proto::exit::INTERRUPTED.into());
    }
    for listener in &hub.listeners {
        // A session that has just ended needs no telling.
        let _ = listener.sender.send(Event::Interrupted);
    }
}

/// A session's place in the hub, given up when dropped.
pub(super) struct Listening(u64);

/// Hands signals to `sender` from now on, and standard input if `keyboard`.
pub(super) fn listen(sender: &Sender<Event>, keyboard: bool) -> Listening {
    static KEYBOARD: Once = Once::new();
    let mut hub = hub();
    hub.next += 1;
    let id = hub.next;
    if hub.interrupted {
        let _ = sender.send(Event::Interrupted);
    }
    if keyboard {
        hub.unread.drain(..).for_each(|event| drop(sender.send(event)));
        KEYBOARD.call_once(|| drop(std::thread::spawn(read_keyboard)));
    }
    hub.listeners.push(Listener { id, keyboard, sender: sender.clone() });
    Listening(id)
}

impl Drop for Listening {
    fn drop(&mut self) {
        hub().listeners.retain(|listener| listener.id != self.0);
    }
}

fn read_keyboard() {
    let mut input = std::io::stdin();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = input.read(&mut buffer) {
        deliver(Event::Typed(buffer[..length].to_vec()));
    }
    deliver(Event::InputEnd);
}

fn deliver(event: Event) {
    let mut hub = hub();
    let listener = hub.listeners.iter().find(|listener| listener.keyboard);
    let refused = match listener {
        Some(listener) => listener.sender.send(event).err().map(|error| error.0),
        None => Some(event),
    };
    hub.unread.extend(refused);
}
