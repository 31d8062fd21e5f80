//! Splits a script into statements.
//!
//! A statement ends at a `;` or at the end of a line, except between `{` and `}`, which hold a group
//! of statements together. A `#` at the start of a word begins a comment, up to the end of the line.

/// The statements of a script, in order, without the blanks around them and without empty ones.
///
/// A group that is never closed runs to the end of the script, comments in a group are left in it (the
/// group is a script of its own), and a `}` too many is an ordinary character.
pub fn statements(text: &str) -> impl Iterator<Item = &str> + Clone {
    let mut rest = text;
    core::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let extent = measure(rest);
            let statement = rest[..extent.length].trim();
            rest = &rest[extent.total..];
            if !statement.is_empty() {
                return Some(statement);
            }
        }
    })
}

/// How far the first statement of a text reaches, in bytes.
struct Extent {
    /// The statement itself.
    length: usize,
    /// With what follows it: its separator, its comment.
    total: usize,
}

fn measure(text: &str) -> Extent {
    let mut depth = 0_usize;
    let mut comment = None;
    let mut after_blank = true;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\n' | b'\r' if depth == 0 => {
                return Extent { length: comment.unwrap_or(at), total: at + 1 };
            }
            b'\n' | b'\r' => comment = None,
            _ if comment.is_some() => {}
            b'#' if after_blank => comment = Some(at),
            b';' if depth == 0 => return Extent { length: at, total: at + 1 },
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        after_blank = byte.is_ascii_whitespace() || matches!(byte, b';' | b'{');
    }
    let length = comment.filter(|_| depth == 0).unwrap_or(text.len());
    Extent { length, total: text.len() }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::statements;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    fn split(text: &str) -> Vec<&str> {
        statements(text).collect()
    }

    #[test]
    fn semicolons_and_line_ends_separate() {
        assert_eq!(split("cores; mem\nlog\r\nexit 3"), ["cores", "mem", "log", "exit 3"]);
        assert_eq!(split(" ;;\n ; "), [""; 0]);
    }

    #[test]
    fn comments_reach_to_the_end_of_the_line() {
        assert_eq!(split("# all; of it\nmem # here; too\nlog#3"), ["mem", "log#3"]);
        assert_eq!(split("mem;#x"), ["mem"]);
    }

    #[test]
    fn a_group_is_part_of_its_statement() {
        let text = "repeat 3 { stop 1; start 1 }; mem";
        assert_eq!(split(text), ["repeat 3 { stop 1; start 1 }", "mem"]);
        let text = "repeat 2 {\n stop 1 # the }\n start 1\n}\nmem";
        assert_eq!(split(text), ["repeat 2 {\n stop 1 # the }\n start 1\n}", "mem"]);
    }

    #[test]
    fn braces_that_do_not_match_lose_nothing() {
        assert_eq!(split("repeat 2 { mem; log # a"), ["repeat 2 { mem; log # a"]);
        assert_eq!(split("} ; mem"), ["}", "mem"]);
    }

    proptest! {
        #[test]
        fn any_text_is_split_into_parts_of_itself_in_order(text in "[a{};# \n\r\u{e9}]{0,60}") {
            let mut rest = text.as_str();
            for statement in statements(&text) {
                prop_assert!(!statement.is_empty());
                let at = rest.find(statement);
                prop_assert!(at.is_some(), "{statement:?} of {rest:?}");
                rest = &rest[at.unwrap_or(0) + statement.len()..];
            }
        }

        #[test]
        fn without_groups_and_comments_it_is_an_ordinary_split(text in "[ab; \n]{0,60}") {
            let expected: Vec<String> = text
                .split([';', '\n'])
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(String::from)
                .collect();
            prop_assert_eq!(split(&text), expected);
        }
    }
}
