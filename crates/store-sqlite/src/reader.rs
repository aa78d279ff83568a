//! Connections that only read.
//!
//! A lookup is one indexed statement of a few microseconds, so it runs on the thread that asks;
//! handing it to another thread would cost more than the lookup.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use vestibule_core::store::StoreResult;

use crate::open::settle;
use crate::writer::closed;

/// How many lookups can run beside each other.
const CONNECTIONS: usize = 4;

/// A reader of a write-ahead log waits only while the log is recovered or cut.
const BUSY: Duration = Duration::from_millis(500);

type Slot = Mutex<Option<Connection>>;

/// A fixed set of connections; empty slots after [`Readers::close`].
pub(crate) struct Readers {
    slots: Vec<Slot>,
    turn: AtomicUsize,
}

impl Readers {
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let slots = (0..CONNECTIONS)
            .map(|_| connect(path).map(|connection| Mutex::new(Some(connection))))
            .collect::<rusqlite::Result<_>>()?;
        Ok(Self { slots, turn: AtomicUsize::new(0) })
    }

    /// Runs a lookup on a free connection, or on the next one that becomes free.
    pub(crate) fn read<T>(
        &self,
        lookup: impl FnOnce(&Connection) -> StoreResult<T>,
    ) -> StoreResult<T> {
        let slot = self.slot().ok_or_else(closed)?;
        let connection = slot.as_ref().ok_or_else(closed)?;
        lookup(connection)
    }

    /// Closes the connections; later lookups are refused.
    pub(crate) fn close(&self) {
        for slot in &self.slots {
            lock(slot).take();
        }
    }

    fn slot(&self) -> Option<MutexGuard<'_, Option<Connection>>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % CONNECTIONS;
        let (after, first) = self.slots.split_at_checked(turn)?;
        first
            .iter()
            .chain(after)
            .find_map(|slot| match slot.try_lock() {
                Ok(guard) => Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            })
            .or_else(|| first.first().map(lock))
    }
}

/// A lookup that panicked leaves its connection usable: its statement was reset as it went.
fn lock(slot: &Slot) -> MutexGuard<'_, Option<Connection>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    settle(&connection)?;
    connection.execute_batch("PRAGMA cache_size = -16384;")?;
    Ok(connection)
}
