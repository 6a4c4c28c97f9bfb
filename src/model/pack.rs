//! Rows as short runs of bytes: the form in which they wait between being read and being written, in memory or on disk.
//!
//! Numbers are written seven bits a byte, texts with their length before them, words as their place in their set, and what is
//! missing as a zero. The form never leaves the process.

/// What can be packed and taken out again.
pub trait Pack: Sized {
    fn pack(&self, to: &mut Vec<u8>);
    /// Takes one from the front; `None` where the bytes hold none.
    fn unpack(from: &mut &[u8]) -> Option<Self>;
}

/// Appends a number.
#[inline]
pub fn number(mut n: u64, to: &mut Vec<u8>) {
    while n >= 0x80 {
        to.push(n.to_le_bytes()[0] | 0x80);
        n >>= 7;
    }
    to.push(n.to_le_bytes()[0]);
}

/// Takes a number.
#[inline]
pub fn take_number(from: &mut &[u8]) -> Option<u64> {
    let mut n = 0u64;
    let mut shift = 0;
    loop {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        n |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(n);
        }
        shift += 7;
    }
}

/// Appends bytes with their length.
#[inline]
pub fn bytes(b: &[u8], to: &mut Vec<u8>) {
    number(b.len() as u64, to);
    to.extend_from_slice(b);
}

/// Takes bytes that were written with their length.
#[inline]
pub fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_number(from)?).ok()?;
    let (head, rest) = from.split_at_checked(len)?;
    *from = rest;
    Some(head)
}

/// Takes a text.
#[inline]
pub fn take_text<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(from)?).ok()
}

/// Takes one byte.
#[inline]
pub fn take_byte(from: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = from.split_first()?;
    *from = rest;
    Some(*byte)
}

/// Takes eight bytes as they stand.
#[inline]
pub fn take_eight(from: &mut &[u8]) -> Option<[u8; 8]> {
    let (eight, rest) = from.split_first_chunk::<8>()?;
    *from = rest;
    Some(*eight)
}

macro_rules! by_cell {
    ($($ty:ty),*) => { $(
        impl Pack for $ty {
            fn pack(&self, to: &mut Vec<u8>) { super::cell::Cell::pack(self, to); }
            fn unpack(from: &mut &[u8]) -> Option<Self> { <$ty as super::cell::Cell>::unpack(from) }
        }
    )* };
}
by_cell!(u32, u64, bool, String, super::Time);

impl<T: Pack> Pack for Option<T> {
    fn pack(&self, to: &mut Vec<u8>) {
        to.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.pack(to);
        }
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        if take_byte(from)? == 0 { Some(None) } else { T::unpack(from).map(Some) }
    }
}

impl<T: Pack> Pack for Vec<T> {
    fn pack(&self, to: &mut Vec<u8>) {
        number(self.len() as u64, to);
        for value in self {
            value.pack(to);
        }
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        (0..take_number(from)?).map(|_| T::unpack(from)).collect()
    }
}

impl<A: Pack, B: Pack> Pack for (A, B) {
    fn pack(&self, to: &mut Vec<u8>) {
        self.0.pack(to);
        self.1.pack(to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some((A::unpack(from)?, B::unpack(from)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{AccountRow, AccountStatus, Row, Time, to_batch};

    proptest! {
        #[test]
        fn a_row_is_the_same_once_unpacked(
            ix: u32, id: String, login: Option<String>, at in proptest::option::of(-62_135_596_800_000_000i64..253_402_300_799_999_999), status in 0usize..7,
        ) {
            let row = AccountRow {
                account_ix: ix, native_id: id, login, created_at: at.and_then(Time::from_micros),
                status: <AccountStatus as crate::model::Word>::ALL[status], ..AccountRow::default()
            };
            let mut packed = Vec::new();
            row.pack(&mut packed);
            let mut left = packed.as_slice();
            prop_assert_eq!(AccountRow::unpack(&mut left), Some(row.clone()));
            prop_assert!(left.is_empty());
            // Moved into columns without a row in between, it is the same batch.
            let mut columns = crate::model::builders::<AccountRow>();
            let mut left = packed.as_slice();
            prop_assert_eq!(AccountRow::carry(&mut left, 0, &mut columns), Some(()));
            prop_assert_eq!(crate::model::batch::<AccountRow>(&mut columns).unwrap(), to_batch(&[row]).unwrap());
            for cut in 0..packed.len() {
                prop_assert_eq!(AccountRow::unpack(&mut &packed[..cut]), None, "a row that is cut off is none");
            }
        }

        #[test]
        fn numbers_of_any_size_come_back(n: u64) {
            let mut packed = Vec::new();
            number(n, &mut packed);
            prop_assert_eq!(take_number(&mut packed.as_slice()), Some(n));
        }
    }
}
