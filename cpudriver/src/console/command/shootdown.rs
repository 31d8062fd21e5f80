//! `shootdown`: the ways in which cores are told to flush translations, by name.

use super::args::Args;
use super::error::Problem;
use super::nearest::nearest;
use super::{Command, UsageError};
use core::fmt;
use proto::core_set::MAX_CORES;

/// A way in which cores are told, as it is chosen; what the machine must be asked for is found out then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Each one by the coordinator.
    Unicast,
    /// One of them by the coordinator, and it tells others.
    Tree,
    /// One of each package.
    Package {
        /// How many cores a package has; `None` for what the processor says.
        cores: Option<u16>,
    },
    /// One of each group that is equally far, the farthest first.
    Latency,
    /// As unicast, also of rights that are added.
    Eager,
}

impl Way {
    /// The names of all, as they are typed.
    pub const NAMES: [&'static str; 5] = ["unicast", "tree", "package", "latency", "eager"];

    /// Reads a name; behind `package:` the number of cores can stand.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Some(match word {
            "unicast" => Self::Unicast,
            "tree" => Self::Tree,
            "package" => Self::Package { cores: None },
            "latency" => Self::Latency,
            "eager" => Self::Eager,
            _ => {
                let cores = word.strip_prefix("package:")?.parse().ok();
                let cores = cores.filter(|cores| (1..=MAX_CORES as u16).contains(cores))?;
                Self::Package { cores: Some(cores) }
            }
        })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unicast => f.write_str("unicast"),
            Self::Tree => f.write_str("tree"),
            Self::Package { cores: None } => f.write_str("package"),
            Self::Package { cores: Some(cores) } => write!(f, "package:{cores}"),
            Self::Latency => f.write_str("latency"),
            Self::Eager => f.write_str("eager"),
        }
    }
}

/// The most pages that a core can be had to flush one by one: it does nothing else meanwhile.
const MOST_FLUSH_PAGES: u32 = 4096;

/// Some ways, in the order in which they were named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ways([Option<Way>; Way::NAMES.len()]);

impl Ways {
    /// Those that were named.
    pub fn all(self) -> impl Iterator<Item = Way> {
        self.0.into_iter().flatten()
    }

    /// Was none named?
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Takes one in, instead of one of the same kind.
    fn insert(&mut self, way: Way) {
        let is_free = |it: &&mut Option<Way>| {
            it.is_none_or(|it| core::mem::discriminant(&it) == core::mem::discriminant(&way))
        };
        if let Some(place) = self.0.iter_mut().find(is_free) {
            *place = Some(way);
        }
    }
}

/// What `shootdown` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shootdown {
    /// Says which way is chosen.
    Show,
    /// Chooses one.
    Choose(Way),
    /// Has so many pages flushed one by one, and more all together; `None` says how many are.
    Flush {
        /// How many.
        pages: Option<u32>,
    },
    /// Says who would tell whom.
    Plan {
        /// If so many cores had to be told; `None` for all that are online.
        cores: Option<u16>,
    },
}

pub(super) fn parse<'a>(args: &mut Args<'a>) -> Result<Command<'a>, UsageError<'a>> {
    let Some(word) = args.word()? else { return Ok(Command::Shootdown(Shootdown::Show)) };
    if word == "plan" {
        let cores = args.optional_number("N", 1..=MAX_CORES as u16 - 1)?;
        return Ok(Command::Shootdown(Shootdown::Plan { cores }));
    }
    if word == "flush" {
        let pages = args.optional_number("N", 0..=MOST_FLUSH_PAGES)?;
        return Ok(Command::Shootdown(Shootdown::Flush { pages }));
    }
    to_way(args, word).map(|way| Command::Shootdown(Shootdown::Choose(way)))
}

pub(super) fn parse_selftest<'a>(args: &mut Args<'a>) -> Result<Command<'a>, UsageError<'a>> {
    match args.required("shootdown")? {
        "shootdown" => Ok(Command::SelfTest),
        word => {
            let (what, expected) = ("the test", "`shootdown`");
            Err(args.error(Problem::Malformed { what, expected, word }))
        }
    }
}

/// Reads a list of ways.
pub(super) fn to_ways<'a>(args: &Args<'a>, list: &'a str) -> Result<Ways, UsageError<'a>> {
    let mut ways = Ways::default();
    for word in list.split(',') {
        ways.insert(to_way(args, word)?);
    }
    Ok(ways)
}

/// Reads the name of a way.
pub(super) fn to_way<'a>(args: &Args<'a>, word: &'a str) -> Result<Way, UsageError<'a>> {
    Way::read(word).ok_or_else(|| {
        let nearest = nearest(word, Way::NAMES.into_iter());
        args.error(Problem::UnknownWay { name: word, nearest })
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Way, Ways};
    use std::string::ToString;

    #[test]
    fn ways_are_kept_as_they_are_named_one_of_each_kind() {
        let mut ways = Ways::default();
        assert!(ways.is_empty());
        let package = |cores| Way::Package { cores };
        for way in [Way::Eager, package(Some(4)), Way::Tree, package(None), Way::Unicast] {
            ways.insert(way);
        }
        ways.insert(Way::Latency);
        let all = [Way::Eager, package(None), Way::Tree, Way::Unicast, Way::Latency];
        assert!(ways.all().eq(all) && !ways.is_empty());
    }

    #[test]
    fn a_way_is_read_as_it_is_shown() {
        for name in Way::NAMES.into_iter().chain(["package:4", "package:256"]) {
            assert_eq!(Way::read(name).map(|way| way.to_string()).as_deref(), Some(name));
        }
        for wrong in ["", "broadcast", "package:", "package:0", "package:257", "tree:4"] {
            assert_eq!(Way::read(wrong), None, "{wrong}");
        }
    }
}
