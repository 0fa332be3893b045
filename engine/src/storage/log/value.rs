//! Property values in a frame: JSON without loss, small whole numbers in one byte.

use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::value::Value;

use super::bytes::{
    Bytes, Malformed, malformed, put_blob, put_signed, put_varint, put_wide_varint, wide_unzigzag,
    wide_zigzag,
};

/// Deepest nesting of lists and objects that is written and read.
pub const VALUE_DEPTH_MAX: usize = 64;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const TEXT: u8 = 4;
const LIST: u8 = 5;
const OBJECT: u8 = 6;
/// Tags from here on are the whole numbers from 0.
const SMALL_BASE: u8 = 16;
const SMALL_MAX: i128 = (u8::MAX - SMALL_BASE) as i128;
/// No decimal has a larger power of ten: the text limits of its parser are far below.
const EXPONENT_MAX: i64 = 100_000;

/// Whether a value nests no deeper than [`VALUE_DEPTH_MAX`].
pub(crate) fn is_writable(value: &Value) -> bool {
    fn fits(value: &Value, depth: usize) -> bool {
        match value {
            Value::List(items) => depth > 0 && items.iter().all(|item| fits(item, depth - 1)),
            Value::Object(fields) => depth > 0 && fields.iter().all(|(_, item)| fits(item, depth - 1)),
            _ => true,
        }
    }
    fits(value, VALUE_DEPTH_MAX)
}

pub(crate) fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(truth) => out.push(if *truth { TRUE } else { FALSE }),
        Value::Number(number) => put_number(out, *number),
        Value::Text(text) => {
            out.push(TEXT);
            put_blob(out, text.as_bytes());
        }
        Value::List(items) => {
            out.push(LIST);
            put_varint(out, items.len() as u64);
            for item in items {
                put_value(out, item);
            }
        }
        Value::Object(fields) => {
            out.push(OBJECT);
            put_varint(out, fields.len() as u64);
            for (key, item) in fields {
                put_blob(out, key.as_bytes());
                put_value(out, item);
            }
        }
    }
}

fn put_number(out: &mut Vec<u8>, number: Decimal) {
    let whole = match (number.mantissa(), number.exponent()) {
        (mantissa @ 0..=SMALL_MAX, 0) => mantissa,
        (mantissa @ 0..=SMALL_MAX, 1) => mantissa * 10,
        (mantissa @ 0..=SMALL_MAX, 2) => mantissa * 100,
        _ => i128::MAX,
    };
    if whole <= SMALL_MAX {
        out.push(SMALL_BASE + whole as u8);
        return;
    }
    out.push(NUMBER);
    put_signed(out, i64::from(number.exponent()));
    put_wide_varint(out, wide_zigzag(number.mantissa()));
}

pub(crate) fn take_value(bytes: &mut Bytes<'_>) -> Result<Value, Malformed> {
    take_within(bytes, VALUE_DEPTH_MAX)
}

fn take_within(bytes: &mut Bytes<'_>, depth: usize) -> Result<Value, Malformed> {
    Ok(match bytes.byte("value")? {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        NUMBER => Value::Number(take_number(bytes)?),
        TEXT => Value::Text(bytes.text("text value")?.into()),
        LIST | OBJECT if depth == 0 => return malformed("value: nested too deep"),
        LIST => {
            let count = bytes.count("list length")?;
            let mut items = Vec::with_capacity(count);
            for _ in 0..count {
                items.push(take_within(bytes, depth - 1)?);
            }
            Value::List(items)
        }
        OBJECT => {
            let count = bytes.count("number of fields")?;
            let mut fields = Vec::with_capacity(count);
            for _ in 0..count {
                let key = bytes.text("field name")?.into();
                fields.push((key, take_within(bytes, depth - 1)?));
            }
            Value::Object(fields)
        }
        small @ SMALL_BASE.. => Value::Number(Decimal::from(i64::from(small - SMALL_BASE))),
        _ => return malformed("value tag"),
    })
}

/// Goes past a value that nobody asked for.
pub(crate) fn pass_value(bytes: &mut Bytes<'_>) -> Result<(), Malformed> {
    pass_within(bytes, VALUE_DEPTH_MAX)
}

fn pass_within(bytes: &mut Bytes<'_>, depth: usize) -> Result<(), Malformed> {
    match bytes.byte("value")? {
        NULL | FALSE | TRUE | SMALL_BASE.. => {}
        NUMBER => {
            bytes.signed("exponent")?;
            bytes.wide_varint("mantissa")?;
        }
        TEXT => {
            bytes.blob("text value")?;
        }
        LIST | OBJECT if depth == 0 => return malformed("value: nested too deep"),
        LIST => {
            for _ in 0..bytes.count("list length")? {
                pass_within(bytes, depth - 1)?;
            }
        }
        OBJECT => {
            for _ in 0..bytes.count("number of fields")? {
                bytes.blob("field name")?;
                pass_within(bytes, depth - 1)?;
            }
        }
        _ => return malformed("value tag"),
    }
    Ok(())
}

fn take_number(bytes: &mut Bytes<'_>) -> Result<Decimal, Malformed> {
    let exponent = bytes.signed("exponent")?;
    let mantissa = wide_unzigzag(bytes.wide_varint("mantissa")?);
    if exponent.abs() > EXPONENT_MAX {
        return malformed("exponent");
    }
    Ok(Decimal::new(mantissa, exponent as i32))
}
