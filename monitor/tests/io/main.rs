//! Facts about users, handles, pipes, time and what is done when a process ends.

mod console;
mod handles;
mod inspect;
mod list;
mod machine;
mod memory;
mod pipes;
mod random;
mod time;
mod users;
mod waits;
