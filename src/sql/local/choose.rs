//! One of several columns in each row, and several columns one below the other.

use std::sync::Arc;

use arrow::array::{Array, StringArray};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::compute::concat;
use arrow::datatypes::ArrowNativeType;

use super::bits::Tri;
use super::column::{Codes, Kind, Lit, Numbers, Text, Value, failed};
use crate::sql::SqlError;

type Computed<T> = Result<T, SqlError>;

/// In each row the value of the first condition that holds, else the last value. There is one value more than conditions.
pub(super) fn choose(conditions: &[BooleanBuffer], values: &[Value], kind: Kind, rows: usize) -> Computed<Value> {
    if let ([], [Value::Const(_)]) = (conditions, values) {
        return Ok(values.first().cloned().unwrap_or(Value::Const(Lit::Null)));
    }
    // Each row once: what no condition before has taken.
    let mut open = BooleanBuffer::new_set(rows);
    let mut taken = Vec::with_capacity(conditions.len());
    for condition in conditions {
        taken.push(&open & condition);
        open = &open & &!condition;
    }
    taken.push(open);
    let arms: Vec<(&BooleanBuffer, &Value)> = taken.iter().zip(values).collect();
    match kind {
        Kind::Bool => truths(&arms, rows).map(Value::Truth),
        Kind::Int => {
            let constant = |lit: &Lit| if let Lit::Int(n) = lit { *n } else { 0 };
            numbers(&arms, rows, constant, |v| v.wide()).map(Value::I64)
        }
        Kind::Double => {
            let constant = |lit: &Lit| if let Lit::Double(d) = lit { f64::from_bits(*d) } else { 0.0 };
            numbers(&arms, rows, constant, |v| v.doubles().cloned()).map(Value::F64)
        }
        Kind::Text => texts(&arms, rows).map(Value::Text),
    }
}

fn truths(arms: &[(&BooleanBuffer, &Value)], rows: usize) -> Computed<Tri> {
    let (mut yes, mut no) = (BooleanBuffer::new_unset(rows), BooleanBuffer::new_unset(rows));
    for (taken, value) in arms {
        match value {
            Value::Const(Lit::Bool(true)) => yes = &yes | taken,
            Value::Const(Lit::Bool(false)) => no = &no | taken,
            Value::Const(_) => {}
            other => {
                let tri = other.truth()?;
                yes = &yes | &(*taken & &tri.yes);
                no = &no | &(*taken & &tri.no());
            }
        }
    }
    Ok(Tri { yes, no: Some(no) })
}

/// The rows without NULL; `None`: all.
fn valid(arms: &[(&BooleanBuffer, &Value)], rows: usize) -> Option<BooleanBuffer> {
    let lacks = |value: &Value| matches!(value, Value::Const(Lit::Null)) || value.not_null().is_some();
    if !arms.iter().any(|(_, value)| lacks(value)) {
        return None;
    }
    let mut valid = BooleanBuffer::new_unset(rows);
    for (taken, value) in arms {
        match (value, value.not_null()) {
            (Value::Const(Lit::Null), _) => {}
            (_, Some(of_value)) => valid = &valid | &(*taken & &of_value),
            (_, None) => valid = &valid | taken,
        }
    }
    Some(valid)
}

/// Writes `f` of each row that is set.
fn write<T>(out: &mut [T], rows: &BooleanBuffer, f: impl Fn(usize) -> T) {
    for row in rows.set_indices() {
        if let Some(slot) = out.get_mut(row) {
            *slot = f(row);
        }
    }
}

fn numbers<T: arrow::array::ArrowNativeTypeOp>(
    arms: &[(&BooleanBuffer, &Value)],
    rows: usize,
    constant: impl Fn(&Lit) -> T,
    column: impl Fn(&Value) -> Computed<Numbers<T>>,
) -> Computed<Numbers<T>> {
    let mut out = vec![T::default(); rows];
    for (taken, value) in arms {
        if let Value::Const(lit) = value {
            let value = constant(lit);
            write(&mut out, taken, |_| value);
        } else {
            let values = column(value)?.values;
            write(&mut out, taken, |row| values.get(row).copied().unwrap_or_default());
        }
    }
    Ok(Numbers::new(out, valid(arms, rows)))
}

/// A dictionary put together from literals and other dictionaries.
#[derive(Default)]
struct Entries {
    literals: Vec<Arc<str>>,
    others: Vec<StringArray>,
}

impl Entries {
    fn literal(&mut self, text: &Arc<str>) {
        if !self.literals.contains(text) {
            self.literals.push(Arc::clone(text));
        }
    }

    fn same(a: &StringArray, b: &StringArray) -> bool {
        a.len() == b.len() && a.value_offsets().as_ptr() == b.value_offsets().as_ptr()
    }

    fn add(&mut self, values: &StringArray) {
        if !self.others.iter().any(|o| Self::same(o, values)) {
            self.others.push(values.clone());
        }
    }

    fn len(&self) -> usize {
        self.literals.len() + self.others.iter().map(Array::len).sum::<usize>()
    }

    fn of_literal(&self, text: &Arc<str>) -> usize {
        self.literals.iter().position(|l| l == text).unwrap_or_default()
    }

    /// Where the entries of a dictionary begin.
    fn start(&self, values: &StringArray) -> usize {
        self.literals.len() + self.others.iter().take_while(|o| !Self::same(o, values)).map(Array::len).sum::<usize>()
    }

    fn finish(self) -> Computed<StringArray> {
        let literals = StringArray::from_iter_values(&self.literals);
        if let (0, [only]) = (literals.len(), self.others.as_slice()) {
            return Ok(only.clone());
        }
        if self.others.is_empty() {
            return Ok(literals);
        }
        let parts: Vec<&dyn Array> = std::iter::once(&literals as &dyn Array).chain(self.others.iter().map(|o| o as &dyn Array)).collect();
        let all = concat(&parts).map_err(failed)?;
        all.as_any().downcast_ref::<StringArray>().cloned().ok_or_else(|| failed("texts became something else"))
    }
}

/// Rows that take their text from a literal or from a column.
type Source<'a> = (&'a BooleanBuffer, Option<&'a Arc<str>>, Option<Text>);

fn texts(arms: &[(&BooleanBuffer, &Value)], rows: usize) -> Computed<Text> {
    let mut entries = Entries::default();
    let mut sources: Vec<Source<'_>> = Vec::new();
    for (taken, value) in arms {
        match value {
            Value::Const(Lit::Text(text)) => {
                entries.literal(text);
                sources.push((taken, Some(text), None));
            }
            Value::Const(_) => {}
            other => {
                let text = other.text()?.compact();
                entries.add(&text.values);
                sources.push((taken, None, Some(text)));
            }
        }
    }
    let valid = valid(arms, rows);
    let codes = if entries.len() <= 256 { Codes::U8(coded(&sources, &entries, rows)) } else { Codes::U32(coded(&sources, &entries, rows)) };
    let values = if entries.len() == 0 { StringArray::from_iter_values([""]) } else { entries.finish()? };
    Ok(Text { codes, valid, values })
}

fn coded<T: ArrowNativeType>(sources: &[Source<'_>], entries: &Entries, rows: usize) -> ScalarBuffer<T> {
    let mut out = vec![T::default(); rows];
    let code = |at: usize| T::from_usize(at).unwrap_or_default();
    for (taken, literal, text) in sources {
        if let Some(literal) = literal {
            let at = code(entries.of_literal(literal));
            write(&mut out, taken, |_| at);
        }
        if let Some(text) = text {
            let start = entries.start(&text.values);
            write(&mut out, taken, |row| code(start + text.code(row)));
        }
    }
    out.into()
}

/// Columns one below the other, each with its rows.
pub(super) fn below(parts: &[(Value, usize)], kind: Kind) -> Computed<Value> {
    let spread = |(value, rows): &(Value, usize)| match value {
        Value::Const(lit) => Value::full(lit, kind, *rows),
        other => other.clone(),
    };
    if let Some((first @ Value::Const(lit), _)) = parts.first()
        && parts.iter().all(|(value, _)| matches!(value, Value::Const(other) if other == lit))
    {
        return Ok(first.clone());
    }
    let parts: Vec<(Value, usize)> = parts.iter().map(|part| (spread(part), part.1)).collect();
    let valid = joined(parts.iter().map(|(value, rows)| (value.not_null(), *rows)));
    Ok(match kind {
        Kind::Bool => {
            let tris = parts.iter().map(|(value, _)| value.truth()).collect::<Computed<Vec<_>>>()?;
            let yes = bits(tris.iter().map(|t| t.yes.clone()));
            let no = tris.iter().any(|t| t.no.is_some()).then(|| bits(tris.iter().map(|t| t.no())));
            Value::Truth(Tri { yes, no })
        }
        Kind::Int if parts.iter().all(|(value, _)| matches!(value, Value::U32(_))) => {
            let mut values = Vec::new();
            for (value, _) in &parts {
                if let Value::U32(n) = value {
                    values.extend_from_slice(&n.values);
                }
            }
            Value::U32(Numbers::new(values, valid))
        }
        Kind::Int => {
            let mut values = Vec::new();
            for (value, _) in &parts {
                values.extend_from_slice(&value.wide()?.values);
            }
            Value::I64(Numbers::new(values, valid))
        }
        Kind::Double => {
            let mut values = Vec::new();
            for (value, _) in &parts {
                values.extend_from_slice(&value.doubles()?.values);
            }
            Value::F64(Numbers::new(values, valid))
        }
        Kind::Text => {
            let texts = parts.iter().map(|(value, _)| value.text().map(Text::compact)).collect::<Computed<Vec<_>>>()?;
            let mut entries = Entries::default();
            texts.iter().for_each(|t| entries.add(&t.values));
            let codes = if entries.len() <= 256 { Codes::U8(stacked(&texts, &entries)) } else { Codes::U32(stacked(&texts, &entries)) };
            Value::Text(Text { codes, valid, values: entries.finish()? })
        }
    })
}

fn stacked<T: ArrowNativeType>(texts: &[Text], entries: &Entries) -> ScalarBuffer<T> {
    let mut out: Vec<T> = Vec::new();
    for text in texts {
        let start = entries.start(&text.values);
        out.extend(text.map(|code| T::from_usize(start + code).unwrap_or_default()));
    }
    out.into()
}

fn bits(parts: impl Iterator<Item = BooleanBuffer>) -> BooleanBuffer {
    let mut out = arrow::array::BooleanBufferBuilder::new(0);
    parts.for_each(|part| out.append_buffer(&part));
    out.finish()
}

fn joined(parts: impl Iterator<Item = (Option<BooleanBuffer>, usize)> + Clone) -> Option<BooleanBuffer> {
    let some = parts.clone().any(|(valid, _)| valid.is_some());
    some.then(|| bits(parts.map(|(valid, rows)| valid.unwrap_or_else(|| BooleanBuffer::new_set(rows)))))
}
