//! What people read, and that JSON parsers read what we mean.

extern crate std;
use super::{Format, Table, Value, number, record, text};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::string::{String, ToString};

fn cores(format: Format) -> String {
    let table = Table::new(format, [number("core", 0), text("state", 7), number("sent", 6)]);
    let mut out = String::new();
    table.heading(&mut out).unwrap();
    table.row(&mut out, [0_u32.into(), "online".into(), 12_345_u32.into()]).unwrap();
    table.row(&mut out, [1_u32.into(), "failed".into(), Value::None]).unwrap();
    out
}

#[test]
fn a_table_is_aligned() {
    let expected = "\
core  state      sent
   0  online    12345
   1  failed        -
";
    assert_eq!(cores(Format::Text), expected);
}

#[test]
fn json_has_an_object_a_line_with_the_same_names() {
    let text = cores(Format::Json);
    let rows: std::vec::Vec<Json> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        rows,
        [
            json!({"core": 0, "state": "online", "sent": 12_345}),
            json!({"core": 1, "state": "failed", "sent": null}),
        ]
    );
}

#[test]
fn a_value_that_is_too_wide_pushes_the_rest() {
    let table = Table::new(Format::Text, [text("a", 2), text("b", 2)]);
    let mut out = String::new();
    table.row(&mut out, ["wide".into(), 1_u32.into()]).unwrap();
    assert_eq!(out, "wide  1\n");
}

#[test]
fn every_kind_of_value_is_printed_in_both_formats() {
    let params = [("layout", Value::Str("plain")), ("batch", Value::U64(8))];
    let fields = [
        ("address", Value::Hex(0xffff_8000_0000_0000)),
        ("mean", Value::Fixed { scaled: 1_050, decimals: 3 }),
        ("whole", Value::Fixed { scaled: 7, decimals: 0 }),
        ("x2apic", Value::Bool(true)),
        ("params", Value::Map(&params)),
        ("list", Value::List(&[Value::U64(1), Value::Str("b"), Value::I64(-2), Value::None])),
        ("nothing", Value::List(&[])),
    ];
    let mut text = String::new();
    record(&mut text, Format::Text, &fields).unwrap();
    let expected = "\
address  0xffff800000000000
mean     1.050
whole    7
x2apic   true
params   layout=plain batch=8
list     1 b -2 -
nothing  -
";
    assert_eq!(text, expected);
    let mut text = String::new();
    record(&mut text, Format::Json, &fields).unwrap();
    let expected = json!({
        "address": "0xffff800000000000",
        "mean": 1.05,
        "whole": 7,
        "x2apic": true,
        "params": {"layout": "plain", "batch": 8},
        "list": [1, "b", -2, null],
        "nothing": [],
    });
    assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), expected);
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn text_that_is_formatted_while_printing_is_escaped_too() {
    let mut text = String::new();
    let name = "a\"b\n";
    record(&mut text, Format::Json, &[("name", Value::Args(format_args!("<{name}>")))]).unwrap();
    assert_eq!(text, "{\"name\":\"<a\\\"b\\n>\"}\n");
}

proptest! {
    #[test]
    fn any_text_comes_back_out_of_json(text: String, name: String) {
        let mut out = String::new();
        record(&mut out, Format::Json, &[(&name, Value::Str(&text))]).unwrap();
        prop_assert_eq!(out.matches('\n').count(), 1);
        prop_assert_eq!(serde_json::from_str::<Json>(&out).unwrap(), json!({name: text}));
    }

    #[test]
    fn fractions_are_exact(scaled: u64, decimals in 1_u8..12) {
        let text = Value::Fixed { scaled: scaled.into(), decimals }.to_string();
        let (whole, fraction) = text.split_once('.').unwrap();
        prop_assert_eq!(fraction.len(), usize::from(decimals));
        let digits = std::format!("{whole}{fraction}");
        prop_assert_eq!(digits.parse::<u64>().unwrap(), scaled);
    }
}
