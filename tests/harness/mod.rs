//! The parts of the harness, and small tools that have no better place.

pub(crate) mod broker;
pub(crate) mod guests;
pub(crate) mod http;
pub(crate) mod raw;
pub(crate) mod setup;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Runs a job `n` times in parallel, all starting together, and returns the results in order.
pub fn at_once<T: Send>(n: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let gate = Barrier::new(n);
    thread::scope(|scope| {
        let handles: Vec<_> = (0..n)
            .map(|index| {
                let (gate, job) = (&gate, &job);
                scope.spawn(move || {
                    gate.wait();
                    job(index)
                })
            })
            .collect();
        handles.into_iter().map(|handle| handle.join().expect("a parallel job failed")).collect()
    })
}

/// Asks again and again until the condition holds; `false` when it did not within the time.
pub fn eventually(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + within;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// A UUID that no other call returned, in its canonical form.
#[must_use]
pub fn fresh_uuid() -> String {
    let mut bytes = [0; 16];
    let (high, low) = bytes.split_at_mut(8);
    high.copy_from_slice(&random().to_be_bytes());
    low.copy_from_slice(&random().to_be_bytes());
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Lower-case hexadecimal text of that many characters.
#[must_use]
pub fn random_hex(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        text.push_str(&format!("{:016x}", random()));
    }
    text.truncate(length);
    text
}

/// The standard library seeds its hash maps from the system: random enough for a test.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
