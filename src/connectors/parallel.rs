//! Work on pieces of a file, on all cores, whose results arrive in the order of the pieces.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Takes pieces from `next`, lets `work` make of each what needs no other piece, and gives the results to `apply`, in order. Only some pieces
/// and results are in memory at a time. What `apply` sees depends on the pieces alone, never on the number of threads.
///
/// # Errors
/// The first error in the order of the pieces: those of `next` come after all that it gave before.
pub fn in_order<P: Send, R: Send, E>(
    mut next: impl FnMut() -> Result<Option<P>, E>,
    work: impl Fn(P) -> R + Sync,
    mut apply: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let Some(first) = next()? else { return Ok(()) };
    let second = next();
    // One piece is not worth a thread.
    let second = match second {
        Ok(Some(second)) => second,
        Ok(None) => return apply(work(first)),
        Err(e) => return apply(work(first)).and(Err(e)),
    };
    let threads = rayon::current_num_threads().max(1);
    let depth = threads + 2;
    let (to, from) = sync_channel::<(P, SyncSender<R>)>(depth);
    let from = Mutex::new(from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let taken = from.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((piece, back)) = taken else { break };
                    // Whoever waited may have given up.
                    let _ = back.send(work(piece));
                }
            });
        }
        let mut waiting: VecDeque<Receiver<R>> = VecDeque::new();
        let give = |piece: P, waiting: &mut VecDeque<Receiver<R>>| {
            let (back, result) = sync_channel(1);
            waiting.push_back(result);
            to.send((piece, back)).is_ok()
        };
        give(first, &mut waiting);
        give(second, &mut waiting);
        let mut ended = Ok(());
        let mut more = true;
        let outcome = loop {
            while more && waiting.len() < depth {
                match next() {
                    Ok(Some(piece)) => more = give(piece, &mut waiting),
                    Ok(None) => more = false,
                    Err(e) => (ended, more) = (Err(e), false),
                }
            }
            let Some(result) = waiting.pop_front() else { break ended };
            // A worker that panicked gives nothing; the scope then panics in turn.
            let Ok(result) = result.recv() else { break ended };
            if let Err(e) = apply(result) {
                break Err(e);
            }
        };
        drop(to);
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_error_counts() {
        let run = |count: u32, fails_at: u32, apply_fails_at: u32| {
            let (mut given, mut seen) = (0..count, Vec::new());
            let next = || match given.next() {
                Some(n) if n == fails_at => Err(format!("next {n}")),
                n => Ok(n),
            };
            let apply = |n: u32| {
                seen.push(n);
                if n == apply_fails_at * 2 { Err(format!("apply {n}")) } else { Ok(()) }
            };
            (in_order(next, |n| n * 2, apply), seen)
        };
        for count in [0, 1, 2, 3, 500] {
            let (end, seen) = run(count, u32::MAX, u32::MAX / 2);
            assert_eq!((end, seen), (Ok(()), (0..count).map(|n| n * 2).collect()));
        }
        assert_eq!(run(500, 100, u32::MAX / 2), (Err("next 100".to_owned()), (0..100).map(|n| n * 2).collect()));
        assert_eq!(run(500, 100, 50).0, Err("apply 100".to_owned()), "what stands before the error of a piece counts first");
        assert_eq!(run(3, 1, 9), (Err("next 1".to_owned()), vec![0]));
        assert_eq!(run(3, 0, 9), (Err("next 0".to_owned()), vec![]));
    }
}
