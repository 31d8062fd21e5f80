//! Function names and lines for the addresses of a backtrace.
//!
//! The kernel prints a frame as `#N 0x` and 16 hex digits. [`Annotator::explain`] finds such marks
//! anywhere in a line, so one that is cut or mixed with other output is merely not explained.

use addr2line::Loader;
use std::path::{Path, PathBuf};

/// Explains addresses of one image, which is read when the first is seen.
pub struct Annotator {
    image: PathBuf,
    loaded: Option<Option<Loader>>,
}

impl Annotator {
    /// For this ELF file; one that cannot be read explains nothing.
    #[must_use]
    pub fn new(image: &Path) -> Self {
        Self { image: image.into(), loaded: None }
    }

    /// What to add to the end of a line that holds frames of a backtrace: for each the function, file
    /// and line, and further lines for the functions that it was inlined into.
    pub fn explain(&mut self, line: &str) -> Option<String> {
        let frames: Vec<_> = frames(line).collect();
        if frames.is_empty() {
            return None;
        }
        let image = &self.image;
        let loader = self.loaded.get_or_insert_with(|| Loader::new(image).ok()).as_ref()?;
        let notes = frames.into_iter().filter_map(|frame| describe(loader, frame.code_address()));
        Some(notes.collect::<String>()).filter(|note| !note.is_empty())
    }
}

/// A frame as printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    number: u32,
    address: u64,
}

impl Frame {
    /// All but the innermost frame hold return addresses, which may lie behind the end of the line, or
    /// the function, that made the call.
    fn code_address(self) -> u64 {
        if self.number == 0 { self.address } else { self.address.wrapping_sub(1) }
    }
}

/// Finds every `#N 0x0123456789abcdef` of a line.
fn frames(line: &str) -> impl Iterator<Item = Frame> {
    line.split('#').skip(1).filter_map(|text| {
        let (number, rest) = text.split_once(" 0x")?;
        let digits = rest.get(..16)?;
        let ends = !rest[16..].starts_with(|c: char| c.is_ascii_hexdigit());
        let address = u64::from_str_radix(digits, 16).ok().filter(|_| ends)?;
        Some(Frame { number: number.parse().ok()?, address })
    })
}

/// The functions that the instruction at an address belongs to, the innermost first, and where each was: file and
/// line.
fn functions(loader: &Loader, address: u64) -> Option<Vec<(Option<String>, Place)>> {
    let mut named = Vec::new();
    let mut frames = loader.find_frames(address).ok()?;
    while let Ok(Some(frame)) = frames.next() {
        let name = frame.function.as_ref().and_then(|f| f.demangle().ok());
        let name = name.map(|name| without_types(&name).to_owned());
        let place = frame.location.and_then(|at| Some((at.file?.to_owned(), at.line?)));
        named.push((name, place));
    }
    // The outermost is what the linker knows, with its whole path, which line tables leave out.
    let whole = symbol(loader, address);
    match named.last_mut() {
        Some((name, _)) => *name = whole.or_else(|| name.take()),
        None => named.push((Some(whole?), None)),
    }
    Some(named)
}

/// File and line.
type Place = Option<(String, u32)>;

/// ` function at file:line`, then a line for each function that it was inlined into.
fn describe(loader: &Loader, address: u64) -> Option<String> {
    let notes =
        functions(loader, address)?.into_iter().enumerate().map(|(depth, (name, place))| {
            let lead = if depth == 0 { " " } else { "\n        inlined in " };
            let place = place.map(|(file, line)| format!(" at {}:{line}", shortened(&file)));
            format!("{lead}{}{}", name.as_deref().unwrap_or("?"), place.unwrap_or_default())
        });
    Some(notes.collect())
}

/// Names the functions of an image or a program.
pub struct Functions {
    loader: Loader,
}

impl Functions {
    /// Of this ELF file; `None` if it cannot be read.
    #[must_use]
    pub fn of(image: &Path) -> Option<Self> {
        Loader::new(image).ok().map(|loader| Self { loader })
    }

    /// The functions that the instruction at an address belongs to: the innermost of those that were inlined first,
    /// that which the linker knows last. Empty for an address of nothing.
    #[must_use]
    pub fn at(&self, address: u64) -> Vec<String> {
        let functions = functions(&self.loader, address).unwrap_or_default();
        functions.into_iter().filter_map(|(name, _)| name).collect()
    }

    /// The innermost function that the instruction at an address belongs to, and its file and line: `function at file:line`.
    #[must_use]
    pub fn line_at(&self, address: u64) -> Option<String> {
        let (name, place) = functions(&self.loader, address)?.into_iter().next()?;
        let place = place.map(|(file, line)| format!(" at {}:{line}", shortened(&file)));
        Some(format!("{}{}", name.as_deref().unwrap_or("?"), place.unwrap_or_default()))
    }
}

fn symbol(loader: &Loader, address: u64) -> Option<String> {
    Some(format!("{:#}", rustc_demangle::demangle(loader.find_symbol(address)?)))
}

/// Line tables name an inlined function without its path but with all its type arguments, which may
/// fill a screen.
fn without_types(name: &str) -> &str {
    match name.split_once('<') {
        Some((plain, _)) if !plain.is_empty() && !plain.contains("::") && name.ends_with('>') => {
            plain
        }
        _ => name,
    }
}

/// Paths within the workspace count from its root.
fn shortened(file: &str) -> &str {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::to_str);
    let inside = root.and_then(|root| file.strip_prefix(root)?.strip_prefix('/'));
    inside.unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::{Annotator, Frame, frames, without_types};
    use std::path::Path;

    fn found(line: &str) -> Vec<(u32, u64)> {
        frames(line).map(|Frame { number, address }| (number, address)).collect()
    }

    #[test]
    fn frames_are_found_wherever_they_stand() {
        let high = 0xffff_ffff_8010_2030;
        assert_eq!(found("  #0 0xffffffff80102030"), [(0, high)]);
        assert_eq!(found("core 3:  #12 0xffffffff80102030\r"), [(12, high)]);
        let two = "atoll>   #1 0xffffffff80102030  #2 0x0000000000000001 x";
        assert_eq!(found(two), [(1, high), (2, 1)]);
    }

    #[test]
    fn what_is_cut_or_something_else_is_left_alone() {
        for line in [
            "",
            "#",
            "#1",
            "#1 0x",
            "#1 0xffffffff8010203",
            "#1 0xffffffff801020304",
            "#1 0xffffffff8010203g",
            "# 0xffffffff80102030",
            "#x 0xffffffff80102030",
            "rip 0xffffffff80102030",
            "#1 0xffffffff8010203é",
        ] {
            assert_eq!(found(line), [], "{line}");
        }
    }

    #[test]
    fn names_are_shown_without_type_arguments_at_their_end() {
        assert_eq!(without_types("take_order<cpudriver::Kernel, (u8, <T as X>::Y)>"), "take_order");
        for whole in ["main", "alloc::vec::Vec<T,A>::retain", "<T as X>::y", "node::Node<P>::take"]
        {
            assert_eq!(without_types(whole), whole);
        }
    }

    #[test]
    fn an_image_that_cannot_be_read_explains_nothing() {
        let mut annotator = Annotator::new(Path::new("/nonexistent"));
        assert_eq!(annotator.explain("  #0 0xffffffff80102030"), None);
    }

    /// The test binary itself stands in for the kernel: an ELF with line tables.
    #[test]
    fn return_addresses_get_the_function_file_and_line_of_the_call() {
        let image = std::env::current_exe().unwrap();
        let data = std::fs::read(&image).unwrap();
        let file = object::File::parse(&*data).unwrap();
        let entry = object::Object::symbols(&file)
            .find(|s| {
                let name = object::ObjectSymbol::name(s).unwrap_or_default();
                name.contains("boot7symbols") && name.contains("shortened")
            })
            .map(|s| object::ObjectSymbol::address(&s))
            .expect("`shortened` is a function of this binary");
        let mut annotator = Annotator::new(&image);
        let note = annotator.explain(&format!("  #1 0x{:016x}", entry + 1)).unwrap();
        assert!(note.contains("shortened") && note.contains("boot/src/symbols.rs:"), "{note}");
        let before = annotator.explain(&format!("  #0 0x{:016x}", entry)).unwrap();
        assert_eq!(note, before, "the first byte of the function is its own");
    }
}
