//! The stack that a program starts on: arguments, environment and auxiliary vector, as the System V ABI
//! lays them out (x86_64 supplement, 3.4.1).
//!
//! From the stack pointer upwards: the number of arguments; a pointer to each, and 0; 0, for there is no
//! environment; pairs of a key and a value, the last key 0; the texts, each with a zero byte.

/// Bytes of arguments at most, their zero bytes included.
pub const MAX_ARGUMENT_BYTES: usize = 2048;
/// Arguments at most.
pub const MAX_ARGUMENTS: usize = 64;

/// The arguments do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Keys of the auxiliary vector.
pub mod key {
    /// Address of the program headers.
    pub const HEADERS: u64 = 3;
    /// Bytes of a program header.
    pub const HEADER_BYTES: u64 = 4;
    /// How many program headers there are.
    pub const HEADER_COUNT: u64 = 5;
    /// Bytes of a page.
    pub const PAGE_BYTES: u64 = 6;
    /// Where the program starts.
    pub const ENTRY: u64 = 9;
}

/// Lays `arguments` (each ends with a zero byte) and `vector` out at the end of `page`, whose last byte is the
/// one before the address `top`, a multiple of 16; gives the stack pointer. The page was zero before.
///
/// # Errors
///
/// When they do not fit, or the last argument does not end.
pub fn fill(
    page: &mut [u8],
    top: u64,
    arguments: &[u8],
    vector: &[(u64, u64)],
) -> Result<u64, TooLong> {
    let texts = || arguments.split_inclusive(|byte| *byte == 0);
    let count = texts().count();
    let ends = arguments.last().is_none_or(|byte| *byte == 0);
    let words = 1 + count + 1 + 1 + 2 * vector.len() + 2;
    let text_bytes = arguments.len().next_multiple_of(16);
    let bytes = text_bytes + (words * 8).next_multiple_of(16);
    let fits = arguments.len() <= MAX_ARGUMENT_BYTES && count <= MAX_ARGUMENTS;
    if !ends || !fits || bytes > page.len() {
        return Err(TooLong);
    }
    let (length, base) = (page.len(), top - page.len() as u64);
    let text_start = length - text_bytes;
    page[text_start..text_start + arguments.len()].copy_from_slice(arguments);
    let mut at = length - bytes;
    let stack = base + at as u64;
    let mut put = |word: u64| {
        page[at..at + 8].copy_from_slice(&word.to_le_bytes());
        at += 8;
    };
    put(count as u64);
    let mut text = base + text_start as u64;
    for argument in texts() {
        put(text);
        text += argument.len() as u64;
    }
    put(0);
    put(0);
    for &(key, value) in vector.iter().chain(&[(0, 0)]) {
        put(key);
        put(value);
    }
    Ok(stack)
}

#[cfg(test)]
mod tests {
    use super::{MAX_ARGUMENT_BYTES, TooLong, fill, key};
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const TOP: u64 = 0x8000;

    fn word(page: &[u8], address: u64) -> u64 {
        let at = page.len() - (TOP - address) as usize;
        u64::from_le_bytes(page[at..at + 8].try_into().unwrap())
    }

    fn text(page: &[u8], address: u64) -> &[u8] {
        let rest = &page[page.len() - (TOP - address) as usize..];
        rest.split(|byte| *byte == 0).next().unwrap()
    }

    #[test]
    fn arguments_and_vector_are_where_the_abi_says() {
        let mut page = vec![0; 4096];
        let stack = fill(&mut page, TOP, b"args\0\0two words\0", &[(key::ENTRY, 0x40)]).unwrap();
        assert_eq!((stack % 16, word(&page, stack)), (0, 3));
        let argument = |n: u64| text(&page, word(&page, stack + 8 * (n + 1)));
        assert_eq!([argument(0), argument(1), argument(2)], [&b"args"[..], b"", b"two words"]);
        let rest: Vec<_> = (4..10).map(|n| word(&page, stack + 8 * n)).collect();
        assert_eq!(rest, [0, 0, key::ENTRY, 0x40, 0, 0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut page = vec![0; 4096];
        let mut long = vec![b'x'; MAX_ARGUMENT_BYTES + 1];
        *long.last_mut().unwrap() = 0;
        assert_eq!(fill(&mut page, TOP, &long, &[]), Err(TooLong));
        assert_eq!(fill(&mut page, TOP, &[0; 65], &[]), Err(TooLong));
        assert_eq!(fill(&mut page, TOP, b"no end", &[]), Err(TooLong));
        assert_eq!(fill(&mut page[..64], TOP, b"a\0", &[(3, 4); 4]), Err(TooLong));
        assert!(fill(&mut page, TOP, &[0; 64], &[]).is_ok());
        assert!(fill(&mut page, TOP, b"", &[]).is_ok());
    }

    proptest! {
        #[test]
        fn whatever_the_arguments_they_are_read_as_they_were_given(
            arguments in prop::collection::vec("[a-z ]{0,20}", 0..30),
        ) {
            let joined: Vec<u8> =
                arguments.iter().flat_map(|it| it.bytes().chain([0])).collect();
            let mut page = vec![0; 4096];
            let stack = fill(&mut page, TOP, &joined, &[]).unwrap();
            prop_assert_eq!(stack % 16, 0);
            prop_assert_eq!(word(&page, stack), arguments.len() as u64);
            for (n, argument) in arguments.iter().enumerate() {
                let at = word(&page, stack + 8 * (n as u64 + 1));
                prop_assert_eq!(text(&page, at), argument.as_bytes());
            }
        }
    }
}
