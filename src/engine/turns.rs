//! Checks in turn, on threads of their own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of stack of one thread: deep query plans are walked recursively.
const STACK: usize = 32 << 20;

/// What `one` gives for 0 to `count`, in that order, on as many threads as the shared pool has.
///
/// Not on that pool itself: a worker that waits for the engine's own pool takes up further work meanwhile, one check inside
/// another, until its stack ends.
pub fn in_turn<T: Send>(count: usize, one: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                break;
            }
            let result = one(i);
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((i, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..rayon::current_num_threads().min(count) {
            // Where no thread can be had, the others do all of it.
            if std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_order_and_each_is_made_once() {
        let made = AtomicUsize::new(0);
        let squares = in_turn(100, |i| {
            made.fetch_add(1, Ordering::Relaxed);
            i * i
        });
        assert_eq!(squares, (0..100).map(|i| i * i).collect::<Vec<_>>());
        assert_eq!(made.into_inner(), 100);
        assert!(in_turn(0, |i| i).is_empty());
    }

    #[test]
    fn work_that_waits_for_the_shared_pool_is_not_nested() {
        use rayon::prelude::*;
        thread_local!(static DEPTH: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });
        let deepest = in_turn(200, |_| {
            DEPTH.with(|d| d.set(d.get() + 1));
            let sum: u64 = (0..64u64).into_par_iter().map(|n| (0..2_000).fold(n, |a, b| a ^ b)).sum();
            let depth = DEPTH.with(std::cell::Cell::get);
            DEPTH.with(|d| d.set(d.get() - 1));
            depth + usize::from(sum == u64::MAX)
        });
        assert!(deepest.into_iter().all(|d| d == 1));
    }
}
