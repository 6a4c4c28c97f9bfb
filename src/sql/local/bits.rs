//! Truth values of many rows as bitmaps.

use arrow::buffer::{BooleanBuffer, Buffer};

/// No row, in a list of rows.
pub(super) const NONE: u32 = u32::MAX;

/// One bit per value.
pub(super) fn pack<T: Copy>(values: &[T], f: impl Fn(T) -> bool) -> BooleanBuffer {
    let word = |chunk: &[T]| chunk.iter().enumerate().fold(0_u64, |word, (at, v)| word | (u64::from(f(*v)) << at));
    of_words(values.chunks(64).map(word), values.len())
}

/// One bit per pair of values of two columns of one length.
pub(super) fn pack2<T: Copy, U: Copy>(a: &[T], b: &[U], f: impl Fn(T, U) -> bool) -> BooleanBuffer {
    let word = |(a, b): (&[T], &[U])| a.iter().zip(b).enumerate().fold(0_u64, |word, (at, (a, b))| word | (u64::from(f(*a, *b)) << at));
    of_words(a.chunks(64).zip(b.chunks(64)).map(word), a.len())
}

fn of_words(words: impl Iterator<Item = u64>, length: usize) -> BooleanBuffer {
    let words: Vec<u64> = words.map(u64::to_le).collect();
    BooleanBuffer::new(Buffer::from_vec(words), 0, length)
}

/// The bit of a place; not set beyond the end.
pub(super) fn bit(bits: &BooleanBuffer, at: usize) -> bool {
    at < bits.len() && bits.value(at)
}

/// The bits at some places; not set where there is no place.
pub(super) fn gather(bits: &BooleanBuffer, rows: &[u32]) -> BooleanBuffer {
    if bits.offset() == 0 {
        let bytes = bits.values();
        let length = bits.len();
        return pack(rows, |row| {
            let at = row as usize;
            at < length && bytes.get(at >> 3).is_some_and(|byte| byte >> (at & 7) & 1 == 1)
        });
    }
    pack(rows, |row| bit(bits, row as usize))
}

/// Both, where a missing bitmap has every bit set.
pub(super) fn and(a: Option<&BooleanBuffer>, b: Option<&BooleanBuffer>) -> Option<BooleanBuffer> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a & b),
        (a, b) => a.or(b).cloned(),
    }
}

/// True, false or NULL in each row.
#[derive(Clone, Debug)]
pub(super) struct Tri {
    pub yes: BooleanBuffer,
    /// `None`: whatever is not true is false.
    pub no: Option<BooleanBuffer>,
}

impl Tri {
    /// Without NULL.
    pub fn sure(yes: BooleanBuffer) -> Self {
        Self { yes, no: None }
    }

    /// NULL where `valid` says so.
    pub fn valid(yes: BooleanBuffer, valid: Option<&BooleanBuffer>) -> Self {
        match valid {
            None => Self::sure(yes),
            Some(valid) => Self { yes: &yes & valid, no: Some(&!&yes & valid) },
        }
    }

    pub fn full(value: Option<bool>, rows: usize) -> Self {
        match value {
            Some(true) => Self::sure(BooleanBuffer::new_set(rows)),
            Some(false) => Self::sure(BooleanBuffer::new_unset(rows)),
            None => Self { yes: BooleanBuffer::new_unset(rows), no: Some(BooleanBuffer::new_unset(rows)) },
        }
    }

    pub fn len(&self) -> usize {
        self.yes.len()
    }

    pub fn no(&self) -> BooleanBuffer {
        self.no.clone().unwrap_or_else(|| !&self.yes)
    }

    /// `None`: no row is NULL.
    pub fn not_null(&self) -> Option<BooleanBuffer> {
        self.no.as_ref().map(|no| &self.yes | no)
    }

    pub fn not(&self) -> Self {
        match &self.no {
            None => Self::sure(!&self.yes),
            Some(no) => Self { yes: no.clone(), no: Some(self.yes.clone()) },
        }
    }

    pub fn and(&self, other: &Self) -> Self {
        let yes = &self.yes & &other.yes;
        let no = (self.no.is_some() || other.no.is_some()).then(|| &self.no() | &other.no());
        Self { yes, no }
    }

    pub fn or(&self, other: &Self) -> Self {
        let yes = &self.yes | &other.yes;
        let no = (self.no.is_some() || other.no.is_some()).then(|| &self.no() & &other.no());
        Self { yes, no }
    }

    /// Those of some rows; `matched`: which rows there are, NULL elsewhere.
    pub fn gather(&self, rows: &[u32], matched: Option<&BooleanBuffer>) -> Self {
        let yes = gather(&self.yes, rows);
        let no = match (&self.no, matched) {
            (Some(no), _) => Some(gather(no, rows)),
            (None, Some(matched)) => Some(matched & &!&yes),
            (None, None) => None,
        };
        Self { yes, no }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Option<bool>; 3] = [Some(true), Some(false), None];

    fn tri(values: &[Option<bool>]) -> Tri {
        let bits = |wanted: bool| BooleanBuffer::collect_bool(values.len(), |i| values[i] == Some(wanted));
        Tri { yes: bits(true), no: values.contains(&None).then(|| bits(false)) }
    }

    fn values(tri: &Tri) -> Vec<Option<bool>> {
        let no = tri.no();
        (0..tri.len())
            .map(|i| {
                assert!(!(tri.yes.value(i) && no.value(i)));
                if tri.yes.value(i) {
                    Some(true)
                } else if no.value(i) {
                    Some(false)
                } else {
                    None
                }
            })
            .collect()
    }

    #[test]
    fn null_is_unknown() {
        let a = tri(&ALL.iter().flat_map(|a| [*a; 3]).collect::<Vec<_>>());
        let b = tri(&[ALL, ALL, ALL].concat());
        let (t, f, n) = (Some(true), Some(false), None);
        assert_eq!(values(&a.and(&b)), [t, f, n, f, f, f, n, f, n]);
        assert_eq!(values(&a.or(&b)), [t, t, t, t, f, n, t, n, n]);
        assert_eq!(values(&tri(&ALL).not()), [f, t, n]);
        assert_eq!(values(&tri(&[t, f]).not()), [f, t]);
        assert_eq!(values(&tri(&[t, f]).and(&tri(&[n, n]))), [n, f]);
        assert_eq!(values(&tri(&[t, f]).or(&tri(&[n, n]))), [t, n]);
    }

    #[test]
    fn rows_that_are_not_there_are_null() {
        let matched = BooleanBuffer::from(vec![true, false, true]);
        assert_eq!(values(&tri(&[Some(true), Some(false)]).gather(&[1, NONE, 0], Some(&matched))), [Some(false), None, Some(true)]);
        assert_eq!(values(&tri(&[None, Some(false)]).gather(&[1, NONE, 0], Some(&matched))), [Some(false), None, None]);
        assert_eq!(values(&tri(&[]).gather(&[NONE], Some(&BooleanBuffer::new_unset(1)))), [None]);
        let far: Vec<bool> = (0..200).map(|i| i % 3 == 0).collect();
        let bits = BooleanBuffer::from(far);
        assert_eq!(
            gather(&bits.slice(3, 190), &[0, 1, 3, 189, 190, NONE]).iter().collect::<Vec<_>>(),
            [true, false, true, true, false, false]
        );
        assert_eq!(gather(&bits, &[0, 1, 3, 198, 199, 200]).iter().collect::<Vec<_>>(), [true, false, true, true, false, false]);
    }

    #[test]
    fn words_pack_beyond_64_rows() {
        let numbers: Vec<u32> = (0..130).collect();
        let bits = pack(&numbers, |v| v % 7 == 0);
        assert_eq!((bits.len(), bits.count_set_bits()), (130, 19));
        assert_eq!(pack2(&numbers, &numbers, |a, b| a == b && a > 128).set_indices().collect::<Vec<_>>(), [129]);
    }
}
