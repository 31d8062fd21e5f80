//! Lists the processes, as a program sees them.
#![no_std]
#![no_main]

use user::{println, process};

user::main!(main);

fn main() {
    println!("{:>5} {:>6}  {:<11} {:>5}  name", "pid", "parent", "state", "cores");
    for it in process::list() {
        let parent = it.parent().map_or(0, |pid| pid.0);
        println!(
            "{:>5} {parent:>6}  {:<11} {:>5}  {}",
            it.pid(),
            it.state(),
            it.cores(),
            it.name()
        );
    }
}
