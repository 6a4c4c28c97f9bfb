//! Rows that operators make: pairs of a join, groups, rows of a union.

use std::sync::Arc;

use arrow::buffer::BooleanBuffer;

use super::bits::{self, NONE};
use super::keys::{Groups, Index};
use crate::sql::SqlError;

/// The rows of a space.
#[derive(Debug)]
pub(super) enum Rows {
    /// As many as a view has.
    Plain(usize),
    Joined(Joined),
    Groups(Groups),
    /// Where each input begins, and the end.
    Union(Vec<u32>),
}

impl Rows {
    pub fn len(&self) -> usize {
        match self {
            Self::Plain(rows) => *rows,
            Self::Joined(joined) => joined.rows,
            Self::Groups(groups) => groups.first.len(),
            Self::Union(starts) => starts.last().copied().unwrap_or_default() as usize,
        }
    }

    pub fn joined(&self) -> Option<&Joined> {
        if let Self::Joined(joined) = self { Some(joined) } else { None }
    }

    pub fn groups(&self) -> Option<&Groups> {
        if let Self::Groups(groups) = self { Some(groups) } else { None }
    }

    pub fn starts(&self) -> Option<&[u32]> {
        if let Self::Union(starts) = self { Some(starts) } else { None }
    }
}

/// Which rows of one side the rows of a join have.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    /// `None`: row for row.
    rows: Option<Arc<Vec<u32>>>,
    /// Where there is a row; `None`: everywhere.
    matched: Option<BooleanBuffer>,
}

impl Side {
    pub fn of(rows: Vec<u32>) -> Self {
        let matched = rows.contains(&NONE).then(|| bits::pack(&rows, |row| row != NONE));
        Self { rows: Some(Arc::new(rows)), matched }
    }

    /// The rows; none where it is row for row.
    pub fn found(&self) -> &[u32] {
        self.rows.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Where there is a row; `None`: everywhere.
    pub fn matched(&self) -> Option<&BooleanBuffer> {
        self.matched.as_ref()
    }

    /// The rows that stand in a list at the places that these rows are.
    pub fn among(&self, list: &[u32]) -> Self {
        Self::of(self.found().iter().map(|place| list.get(*place as usize).copied().unwrap_or(NONE)).collect())
    }

    pub fn steps(&self) -> Option<(&[u32], Option<&BooleanBuffer>)> {
        Some((self.rows.as_ref()?, self.matched.as_ref()))
    }

    fn at(&self, row: usize) -> u32 {
        match &self.rows {
            Some(rows) => rows.get(row).copied().unwrap_or(NONE),
            None => u32::try_from(row).unwrap_or(NONE),
        }
    }
}

/// Pairs of two sides. Where no row has two partners, one side keeps its rows, and those without a partner are told by `kept`.
#[derive(Debug)]
pub(super) struct Joined {
    pub rows: usize,
    pub left: Side,
    pub right: Side,
    /// The rows that are pairs; `None`: all.
    pub kept: Option<BooleanBuffer>,
}

impl Joined {
    /// Whether no row found two.
    pub fn is_single(found: &[u32], index: &Index) -> bool {
        index.is_unique() || found.iter().all(|row| index.after(*row) == NONE)
    }

    /// For each row on the right, the first row on the left that was found.
    pub fn from_right(left: Side, condition: Option<&BooleanBuffer>) -> Self {
        let rows = left.found().len();
        let kept = bits::and(left.matched.as_ref(), condition);
        Self { rows, left, right: Side::default(), kept }
    }

    /// For each row on the left, the first row on the right that was found; others follow in the index.
    ///
    /// # Errors
    /// So many pairs that polars should find another way.
    pub fn from_left(right: Side, index: &Index, outer: bool, right_rows: usize) -> Result<Self, SqlError> {
        let found = right.found();
        if Self::is_single(found, index) {
            let rows = found.len();
            let kept = if outer { None } else { right.matched.clone() };
            return Ok(Self { rows, left: Side::default(), right, kept });
        }
        let most = (found.len() + right_rows).saturating_mul(16).saturating_add(1 << 20);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for (row, first) in (0..).zip(found.iter().copied()) {
            if first == NONE && outer {
                left.push(row);
                right.push(NONE);
            }
            let mut at = first;
            while at != NONE {
                left.push(row);
                right.push(at);
                at = index.after(at);
            }
            if left.len() > most {
                return Err(SqlError::Value("a join with very many pairs".to_owned()));
            }
        }
        Ok(Self { rows: left.len(), left: Side { rows: Some(Arc::new(left)), matched: None }, right: Side::of(right), kept: None })
    }

    /// The pairs that meet a condition, and every row on the left that has none.
    pub fn kept(&self, condition: &BooleanBuffer, left_rows: usize) -> Self {
        let pairs = bits::and(self.kept.as_ref(), Some(condition)).unwrap_or_else(|| condition.clone());
        if self.left.rows.is_none() {
            let right = (0..self.rows).map(|row| if bits::bit(&pairs, row) { self.right.at(row) } else { NONE }).collect();
            return Self { rows: self.rows, left: Side::default(), right: Side::of(right), kept: None };
        }
        let mut lonely = vec![true; left_rows];
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for row in pairs.set_indices() {
            let own = self.left.at(row);
            left.push(own);
            right.push(self.right.at(row));
            if let Some(flag) = lonely.get_mut(own as usize) {
                *flag = false;
            }
        }
        for (row, _) in (0..).zip(lonely).filter(|(_, lonely)| *lonely) {
            left.push(row);
            right.push(NONE);
        }
        Self { rows: left.len(), left: Side { rows: Some(Arc::new(left)), matched: None }, right: Side::of(right), kept: None }
    }
}
