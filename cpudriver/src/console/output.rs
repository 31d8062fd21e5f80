//! One description of a result, printed for people or for programs.
//!
//! A [`Table`] prints rows as they come: as aligned columns under a heading, or each as a JSON object
//! on a line of its own. [`record`] prints a single result. In both, a name is chosen once and is the
//! field's name in JSON. Nothing is allocated and nothing needs floating point: fractions are scaled
//! integers.

use core::fmt::{self, Write};

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Aligned text.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Text.
    Str(&'a str),
    /// Text that is still to be formatted.
    Args(fmt::Arguments<'a>),
    /// A number.
    U64(u64),
    /// A signed number.
    I64(i64),
    /// An address or a set of bits: `0x` and hexadecimal digits, in JSON as text.
    Hex(u64),
    /// A fraction, as an integer in units of ten to the power of minus `decimals`.
    Fixed {
        /// The number times ten to the power of `decimals`.
        scaled: u128,
        /// How many digits follow the point, at most 38.
        decimals: u8,
    },
    /// Yes or no.
    Bool(bool),
    /// Not known, or doesn't apply: `-`, in JSON `null`.
    None,
    /// Named values: `a=1 b=x`, in JSON an object.
    Map(&'a [(&'a str, Value<'a>)]),
    /// Values: `1 2 3` or `-`, in JSON an array.
    List(&'a [Value<'a>]),
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::U64(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::U64(number.into())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Str(text)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

impl Value<'_> {
    fn json(&self, out: &mut dyn Write) -> fmt::Result {
        match *self {
            Self::Str(text) => json_string(format_args!("{text}"), out),
            Self::Args(args) => json_string(args, out),
            Self::Hex(_) => json_string(format_args!("{self}"), out),
            Self::Map(fields) => json_object(fields.iter().copied(), out),
            Self::List(values) => json_array(values, out),
            Self::None => out.write_str("null"),
            Self::U64(_) | Self::I64(_) | Self::Fixed { .. } | Self::Bool(_) => {
                write!(out, "{self}")
            }
        }
    }
}

/// The value as people read it.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Str(text) => f.write_str(text),
            Self::Args(args) => f.write_fmt(args),
            Self::U64(number) => write!(f, "{number}"),
            Self::I64(number) => write!(f, "{number}"),
            Self::Hex(number) => write!(f, "{number:#x}"),
            Self::Fixed { scaled, decimals: 0 } => write!(f, "{scaled}"),
            Self::Fixed { scaled, decimals } => {
                let one = 10_u128.pow(decimals.min(38).into());
                let width = usize::from(decimals.min(38));
                write!(f, "{}.{:0width$}", scaled / one, scaled % one)
            }
            Self::Bool(true) => f.write_str("true"),
            Self::Bool(false) => f.write_str("false"),
            Self::None | Self::List([]) => f.write_str("-"),
            Self::Map(fields) => {
                for (at, (name, value)) in fields.iter().enumerate() {
                    let blank = if at == 0 { "" } else { " " };
                    write!(f, "{blank}{name}={value}")?;
                }
                Ok(())
            }
            Self::List(values) => {
                for (at, value) in values.iter().enumerate() {
                    let blank = if at == 0 { "" } else { " " };
                    write!(f, "{blank}{value}")?;
                }
                Ok(())
            }
        }
    }
}

/// On which side of its column a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// A column of a [`Table`], made by [`text`] or [`number`].
///
/// Its name is the heading, and the field's name in JSON. Its width is the least one, in characters; a
/// wider value pushes the rest of its row to the right.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    name: &'static str,
    width: usize,
    side: Side,
}

/// A column of text, aligned to the left, at least as wide as its heading.
#[must_use]
pub const fn text(name: &'static str, width: usize) -> Column {
    column(name, width, Side::Left)
}

/// A column of numbers, aligned to the right, at least as wide as its heading.
#[must_use]
pub const fn number(name: &'static str, width: usize) -> Column {
    column(name, width, Side::Right)
}

const fn column(name: &'static str, width: usize, side: Side) -> Column {
    let width = if width < name.len() { name.len() } else { width };
    Column { name, width, side }
}

/// A table of `N` columns.
#[derive(Clone, Copy, Debug)]
pub struct Table<const N: usize> {
    columns: [Column; N],
    format: Format,
}

impl<const N: usize> Table<N> {
    /// A table that prints in the given format. Prints nothing yet.
    #[must_use]
    pub const fn new(format: Format, columns: [Column; N]) -> Self {
        Self { columns, format }
    }

    /// Prints the heading, which JSON doesn't have.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn heading(&self, out: &mut dyn Write) -> fmt::Result {
        match self.format {
            Format::Text => self.text_row(out, self.columns.map(|column| Value::Str(column.name))),
            Format::Json => Ok(()),
        }
    }

    /// Prints a row.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn row(&self, out: &mut dyn Write, values: [Value<'_>; N]) -> fmt::Result {
        match self.format {
            Format::Text => self.text_row(out, values),
            Format::Json => {
                let names = self.columns.iter().map(|column| column.name);
                json_object(names.zip(values), out)?;
                out.write_char('\n')
            }
        }
    }

    fn text_row(&self, out: &mut dyn Write, values: [Value<'_>; N]) -> fmt::Result {
        let mut line = Padded { out, blanks: 0 };
        for (column, value) in self.columns.iter().zip(values) {
            let fill = column.width.saturating_sub(length(&value));
            // Blanks wait for what follows them, so that no line ends in any.
            if column.side == Side::Right {
                line.blanks += fill;
            }
            write!(line, "{value}")?;
            if column.side == Side::Left {
                line.blanks += fill;
            }
            line.blanks += 2;
        }
        line.out.write_char('\n')
    }
}

/// Writes blanks only when something follows them.
struct Padded<'a> {
    out: &'a mut dyn Write,
    blanks: usize,
}

impl Write for Padded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.is_empty() {
            return Ok(());
        }
        let blanks = core::mem::take(&mut self.blanks);
        write!(self.out, "{:blanks$}{text}", "")
    }
}

/// Prints a single result: a name and its value on each line, or one JSON object.
///
/// # Errors
///
/// Those of `out`.
pub fn record(out: &mut dyn Write, format: Format, fields: &[(&str, Value<'_>)]) -> fmt::Result {
    if format == Format::Json {
        json_object(fields.iter().copied(), out)?;
        return out.write_char('\n');
    }
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in fields {
        writeln!(out, "{name:width$}  {value}")?;
    }
    Ok(())
}

/// How many characters something prints.
fn length(value: &dyn fmt::Display) -> usize {
    struct Counter(usize);
    impl Write for Counter {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.chars().count();
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Counting cannot fail, and a value that cannot be printed says so when it is.
    let _ = write!(counter, "{value}");
    counter.0
}

fn json_object<'a>(
    fields: impl Iterator<Item = (&'a str, Value<'a>)>,
    out: &mut dyn Write,
) -> fmt::Result {
    out.write_char('{')?;
    for (at, (name, value)) in fields.enumerate() {
        if at > 0 {
            out.write_char(',')?;
        }
        json_string(format_args!("{name}"), out)?;
        out.write_char(':')?;
        value.json(out)?;
    }
    out.write_char('}')
}

fn json_array(values: &[Value<'_>], out: &mut dyn Write) -> fmt::Result {
    out.write_char('[')?;
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.write_char(',')?;
        }
        value.json(out)?;
    }
    out.write_char(']')
}

fn json_string(text: fmt::Arguments<'_>, out: &mut dyn Write) -> fmt::Result {
    out.write_char('"')?;
    Escaped(out).write_fmt(text)?;
    out.write_char('"')
}

/// Writes text as the inside of a JSON string (RFC 8259, 7).
struct Escaped<'a>(&'a mut dyn Write);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| match char {
            '"' | '\\' => write!(self.0, "\\{char}"),
            '\n' => self.0.write_str("\\n"),
            '\0'..=' ' | '\x7f' if char != ' ' => write!(self.0, "\\u{:04x}", u32::from(char)),
            _ => self.0.write_char(char),
        })
    }
}

#[cfg(test)]
mod tests;
